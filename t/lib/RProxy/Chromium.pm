# SPDX-License-Identifier: Apache-2.0
package RProxy::Chromium;

# A headless Chromium, steered by its DevTools protocol over a pipe (Debian: chromium).
#
#   my $page = RProxy::Chromium->new;
#   $page->go('http://127.0.0.1:1234/');       # until it is loaded
#   $page->js('document.title');               # value of an expression
#   $page->click('button[type=submit]');       # and wait for the page that comes of it
#   $page->screenshot('/tmp/x.png');

use strict;
use warnings;
use Carp qw(croak);
use JSON::PP     ();
use MIME::Base64 ();
use IO::Handle   ();
use POSIX        ();
use RProxy::Env qw(now seconds temp_dir);

my $json = JSON::PP->new->utf8->allow_nonref;
my @all;

sub program { return (grep { -x } map { ("$_/chromium", "$_/chromium-browser", "$_/google-chrome") } split /:/, $ENV{PATH})[0] }

sub new {
    my ($class, %opt) = @_;
    my $program = program() or croak 'no chromium: apt-get install chromium';
    my $profile = temp_dir('chromium');
    pipe my $read_commands, my $commands or die "pipe: $!\n";
    pipe my $answers, my $write_answers or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        # Chromium reads commands from 3 and writes answers to 4; the pipes may have those numbers already
        my $in  = POSIX::dup(fileno $read_commands);
        my $out = POSIX::dup(fileno $write_answers);
        $in  = POSIX::dup($in)  while $in < 5;
        $out = POSIX::dup($out) while $out < 5;
        POSIX::dup2($in,  3);
        POSIX::dup2($out, 4);
        open STDERR, '>', "$profile/log";
        open STDOUT, '>', '/dev/null';
        local $ENV{HOME} = $profile;
        exec $program, qw(--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-extensions
            --disable-background-networking --disable-component-update --remote-debugging-pipe), '--window-size=1280,1400',
            "--user-data-dir=$profile", 'about:blank'
            or POSIX::_exit(127);
    }
    close $read_commands;
    close $write_answers;
    $commands->autoflush(1);
    my $self = bless {pid => $pid, owner => $$, to => $commands, from => $answers, in => '', id => 0, events => []}, $class;
    push @all, $self;
    my $target = $self->_call('Target.createTarget', {url => 'about:blank'})->{targetId};
    $self->{session} = $self->_call('Target.attachToTarget', {targetId => $target, flatten => JSON::PP::true})->{sessionId};
    $self->_call('Page.enable');
    return $self;
}

# The next message of the browser.
sub _message {
    my ($self, $end) = @_;
    while ($self->{in} !~ /\0/) {
        my $left = $end - now();
        vec(my $want = '', fileno $self->{from}, 1) = 1;
        croak 'chromium does not answer' if $left <= 0 || !select $want, undef, undef, $left;
        sysread $self->{from}, $self->{in}, 1 << 20, length $self->{in} or croak 'chromium ended';
    }
    $self->{in} =~ s/^([^\0]*)\0//;
    return $json->decode($1);
}

# One command; its result. Events that come meanwhile are kept.
sub _call {
    my ($self, $method, $params) = @_;
    my $id  = ++$self->{id};
    my %message = (id => $id, method => $method, params => $params // {});
    $message{sessionId} = $self->{session} if $self->{session};
    print {$self->{to}} $json->encode(\%message), "\0" or croak "chromium: $!";
    my $end = now() + seconds(30);
    while (1) {
        my $got = $self->_message($end);
        if (($got->{id} // 0) == $id) {
            croak "$method: $got->{error}{message}" if $got->{error};
            return $got->{result};
        }
        push @{$self->{events}}, $got if $got->{method};
    }
}

# Wait until a page is loaded that began after the events were forgotten.
sub _loaded {
    my ($self) = @_;
    my $end = now() + seconds(30);
    while (1) {
        my $event = shift @{$self->{events}} // $self->_message($end);
        return 1 if ($event->{method} // '') eq 'Page.loadEventFired';
    }
}

sub go {
    my ($self, $url) = @_;
    $self->{events} = [];
    my $result = $self->_call('Page.navigate', {url => $url});
    croak "$url: $result->{errorText}" if $result->{errorText};
    return $self->_loaded;
}

# Value of an expression in the page.
sub js {
    my ($self, $text) = @_;
    my $got = $self->_call('Runtime.evaluate', {expression => $text, returnByValue => JSON::PP::true});
    croak "$text: $got->{exceptionDetails}{text} " . ($got->{exceptionDetails}{exception}{description} // '') if $got->{exceptionDetails};
    return $got->{result}{value};
}

# Click on the first element of a selector as a user does, and wait for the page that it leads to.
sub click {
    my ($self, $selector) = @_;
    my $quoted = $json->encode($selector);
    $self->{events} = [];
    $self->js("{const e = document.querySelector($quoted); if (!e) throw 'nothing is ' + $quoted; e.click()}");
    return $self->_loaded;
}

# Press keys: Tab, Enter, or a letter.
sub key {
    my ($self, $key) = @_;
    my %code = (Tab => 9, Enter => 13, ' ' => 32);
    my %more = $key eq 'Enter' ? (text => "\r") : $key eq 'Tab' ? () : (text => $key);
    my %what = (key => $key, windowsVirtualKeyCode => $code{$key} // ord uc $key);
    $self->_call('Input.dispatchKeyEvent', {type => 'keyDown', %what, %more});
    $self->_call('Input.dispatchKeyEvent', {type => 'keyUp',   %what});
    return;
}

sub script_off { my ($self) = @_; $self->_call('Emulation.setScriptExecutionDisabled', {value => JSON::PP::true}); return }

sub screenshot {
    my ($self, $file) = @_;
    my $data = $self->_call('Page.captureScreenshot', {format => 'png', captureBeyondViewport => JSON::PP::true})->{data};
    open my $out, '>:raw', $file or die "$file: $!\n";
    print {$out} MIME::Base64::decode_base64($data);
    close $out or die "$file: $!\n";
    return length $data;
}

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    eval { delete $self->{session}; $self->_call('Browser.close') };
    kill 'KILL', $pid if !RProxy::Env::wait_until(10, sub { waitpid($pid, POSIX::WNOHANG()) == $pid });
    return;
}

END { my $status = $?; $_->stop for grep { $_->{pid} && $_->{owner} == $$ } @all; $? = $status }

1;
