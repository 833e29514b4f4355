package admin

// Group is the system group whose members may ask, besides root.
const Group = "ftpd-admin"
