# Perl's Net::FTP. HOST PORT USER PASSWORD SECURITY MODE. Standard
# input contains one action per line: VERB, REMOTE, LOCAL, TO, separated by tabs.
use strict;
use warnings;
use Net::FTP;

my ($host, $port, $user, $password, $security, $mode) = @ARGV;
my $ftp = Net::FTP->new($host, Port => $port, Passive => $mode eq 'passive', Timeout => 20, SSL => $security eq 'implicit', SSL_verify_mode => 0)
    or die "connect: $@";
sub check { my ($ok) = @_; $ok or die 'refused: ' . $ftp->message; return $ok }
if ($security eq 'explicit') {
    check($ftp->starttls);
    check($ftp->prot('P'));
}
check($ftp->login($user, $password));
check($ftp->binary);

# begins reads the first bytes and ends the download. abort would send urgent data in clear text, so with TLS it only closes.
sub begins {
    my ($remote, $local) = @_;
    my $conn = check($ftp->retr($remote));
    check($conn->read(my $data, 2000));
    open(my $out, '>:raw', $local) or die "$local: $!";
    print $out $data;
    if ($security eq 'plain') {
        $conn->abort;
        return;
    }
    $conn->IO::Socket::SSL::close;
    $ftp->response;
}

my %does = (
    'list' => sub {
        my ($remote) = @_;
        my @lines = $remote eq '' ? $ftp->dir : $ftp->dir($remote);
        $ftp->ok or die 'list: ' . $ftp->message;
        print "$_\n" for @lines;
    },
    'get'      => sub { check($ftp->get($_[0], $_[1])) },
    'put'      => sub { check($ftp->put($_[1], $_[0])) },
    'get text' => sub { check($ftp->ascii); check($ftp->get($_[0], $_[1])); check($ftp->binary) },
    'put text' => sub { check($ftp->ascii); check($ftp->put($_[1], $_[0])); check($ftp->binary) },
    'reget'    => sub { check($ftp->get($_[0], $_[1], -s $_[1])) },
    'reput'    => sub {
        my ($remote, $local) = @_;
        my $size = check($ftp->size($remote));
        open(my $in, '<:raw', $local) or die "$local: $!";
        seek($in, $size, 0) or die "$local: $!";
        $ftp->restart($size);
        check($ftp->put($in, $remote));
    },
    'head'    => \&begins,
    'missing' => sub { die 'it is there' if $ftp->get($_[0], $_[1]); die $ftp->message if $ftp->code != 550 },
    'rename'  => sub { check($ftp->rename($_[0], $_[2])) },
    'time'    => sub { check($ftp->quot('MFMT', $_[2], $_[0]) == 2) },
    'delete'  => sub { check($ftp->delete($_[0])) },
    'mkdir'   => sub { check($ftp->mkdir($_[0])) },
    'rmdir'   => sub { check($ftp->rmdir($_[0])) },
);
while (my $line = <STDIN>) {
    chomp $line;
    my ($verb, @arguments) = split(/\t/, $line, -1);
    $does{$verb}->(@arguments);
}
$ftp->quit;
