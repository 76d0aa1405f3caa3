# Stand-in for the feed's luci.mk, which knows where the files of a page belong.

install:
	$(INSTALL_DIR) $(ROOT)/www
	cp -R root/. $(ROOT)/
	cp -R htdocs/. $(ROOT)/www/

facts:
	@echo 'name $(PKG_NAME)'
	@echo 'version $(PKG_VERSION)'
