# SPDX-License-Identifier: Apache-2.0
# mod_cache before proxied content: what may be stored is answered without the backend, what became stale is asked for again on its
# condition, what is cut short or private is never stored. On disk and in shared memory, as a quick handler and as a filter.
use strict;
use warnings;
use Apache::Test qw(-withtestmore);
use RProxy::Backend;
use RProxy::Client qw(get post);
use RProxy::Env qw(needs);
use RProxy::Server;

# The read sizes: by default the client has the last bytes before they are stored, and may ask again too early.
my @stores = (
    [disk => [qw(cache cache_disk)], "CacheEnable disk /\nCacheRoot __ROOT__/run\nCacheReadSize 200000\n"],
    [socache => [qw(socache_shmcb cache cache_socache)], "CacheEnable socache /\nCacheSocache shmcb\nCacheSocacheMaxSize 102400\nCacheSocacheReadSize 200000\n"]);
my @ways = map { my $store = $_; map { [@$store, $_] } qw(On Off) } @stores;

plan tests => 23 * @ways, need {needs(qw(rproxy cache cache_disk cache_socache socache_shmcb headers))};

my $backend = RProxy::Backend->new;
my $url     = $backend->url;

# As many answers of the backend as there should be, and whether httpd's cache says so too.
sub asked {
    my ($s, $n, $state, $name, $target, %opt) = @_;
    my $before = $backend->count('requests');
    my $r      = get($s, $target, %opt);
    is $backend->count('requests') - $before, $n, "$name: requests at the backend";
    is $r->header('X-Cache') =~ s/ .*//r, $state, "$name: what the cache says" if $state;
    return $r;
}

for my $way (@ways) {
    my ($store, $modules, $config, $quick) = @$way;
    my $on = "$store, CacheQuickHandler $quick";
    $backend->clear;
    my $s = RProxy::Server->new(modules => [@$modules, 'headers'], config => <<"CONF");
$config
CacheQuickHandler $quick
CacheHeader on
CacheLock on
CacheLockPath __ROOT__/run/lock
CacheIgnoreNoLastMod on
ProxyPass / $url/
CONF
    my $fresh = 'h=Cache-Control:max-age=600';
    my $r     = asked($s, 1, 'MISS', "$on, first", "/bytes/9000?seed=7&$fresh");
    my $body  = $r->body;
    is length $body, 9000, "$on: whole";
    $r = asked($s, 0, 'HIT', "$on, again", "/bytes/9000?seed=7&$fresh");
    ok $r->body eq $body, "$on: the same bytes";
    like $r->header('Age') // '', qr/^\d+$/, "$on: with its age";

    asked($s, 1, 'MISS', "$on, no-store", '/id/1?h=Cache-Control:no-store') for 1, 2;
    asked($s, 1, 'MISS', "$on, private", '/id/2?h=Cache-Control:private') for 1, 2;

    # stale at once, with a validator: the backend is asked whether it changed
    my $answer = sub { return qq(recv body\nsend "HTTP/1.1 $_[0]\\r\\nETag: \\"e1\\"\\r\\nCache-Control: max-age=0\\r\\n$_[1]") };
    $backend->script('/etag', $answer->('200 OK', 'Content-Length: 3\r\n\r\nold'));
    asked($s, 1, 'MISS', "$on, stale", '/etag');
    $backend->script('/etag', $answer->('304 Not Modified', '\r\n'));
    $r = asked($s, 1, 'REVALIDATE', "$on, asked again", '/etag');
    is $r->status . $r->body, '200old', "$on: 304 of the backend is the stored answer for the client";
    like $backend->last_request->{head}, qr/^If-None-Match: "e1"\r$/mi, "$on: on its condition";

    # cut short: the client sees that, and nobody gets the half of it later
    $backend->script('/cut', qq(recv body\nsend "HTTP/1.1 200 OK\\r\\nCache-Control: max-age=600\\r\\nContent-Length: 10\\r\\n\\r\\nhalf"\nclose));
    $r = get($s, '/cut');
    isnt $r->{error}, undef, "$on: an answer that was cut short is an error";
    $backend->script('/cut', qq(recv body\nsend "HTTP/1.1 200 OK\\r\\nCache-Control: max-age=600\\r\\nContent-Length: 5\\r\\n\\r\\nwhole"));
    is get($s, '/cut')->body, 'whole', "$on: and was not stored";
}
