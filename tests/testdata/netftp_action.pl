# One action with Perl's Net::FTP: HOST PORT USER PASSWORD MODE VERB REMOTE LOCAL TO.
use strict;
use warnings;
use Net::FTP;

my ($host, $port, $user, $password, $mode, $verb, $remote, $local, $to) = @ARGV;
my $ftp = Net::FTP->new($host, Port => $port, Passive => $mode eq 'passive', Timeout => 20) or die "connect: $@";
sub check { my ($ok) = @_; $ok or die "$verb: " . $ftp->message; return $ok }
check($ftp->login($user, $password));
check($ftp->binary);

if ($verb eq 'list') {
    my @lines = $remote eq '' ? $ftp->dir : $ftp->dir($remote);
    $ftp->ok or die 'list: ' . $ftp->message;
    print "$_\n" for @lines;
} elsif ($verb eq 'get') {
    check($ftp->get($remote, $local));
} elsif ($verb eq 'put') {
    check($ftp->put($local, $remote));
} elsif ($verb eq 'reget') {
    check($ftp->get($remote, $local, -s $local));
} elsif ($verb eq 'reput') {
    my $size = check($ftp->size($remote));
    open(my $in, '<:raw', $local) or die "$local: $!";
    seek($in, $size, 0) or die "$local: $!";
    $ftp->restart($size);
    check($ftp->put($in, $remote));
} elsif ($verb eq 'rename') {
    check($ftp->rename($remote, $to));
} elsif ($verb eq 'delete') {
    check($ftp->delete($remote));
} elsif ($verb eq 'mkdir') {
    check($ftp->mkdir($remote));
} elsif ($verb eq 'rmdir') {
    check($ftp->rmdir($remote));
}
$ftp->quit;
