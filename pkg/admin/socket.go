package admin

// Group is the system group with access to the socket. Root has access as well.
const Group = "ftpd-admin"
