# The Debian package (script/package): the program, its unit, its configuration file and what a reader needs.
set(doc ${CMAKE_INSTALL_DATADIR}/doc/catbird-mls-server)
install(TARGETS catbird-mls-server RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES packaging/systemd/catbird-mls-server.service DESTINATION /usr/lib/systemd/system)
install(FILES packaging/deb/env DESTINATION /etc/catbird-mls-server
  PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)
install(FILES LICENSE RENAME copyright DESTINATION ${doc})
install(FILES README.md CHANGELOG.md docs/api.md docs/architecture.md docs/guarantees.md
  docs/install.md docs/migration.md docs/operations.md docs/postgresql.md
  packaging/nginx.conf.example packaging/Caddyfile.example DESTINATION ${doc})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME catbird-mls-server)
set(CPACK_PACKAGE_CONTACT "Catbird MLS Server developers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Delivery service for end-to-end encrypted group chat (MLS)")
set(CPACK_PACKAGE_DESCRIPTION "Puts the messages of each MLS group (RFC 9420) into one order, stores them, and hands
 them to the members' devices, over XRPC on the AT Protocol.")
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/package)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, ca-certificates")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "nginx | caddy, postgresql")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA packaging/deb/postinst packaging/deb/prerm
  packaging/deb/postrm packaging/deb/conffiles)
list(TRANSFORM CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
