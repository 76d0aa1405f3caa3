# Stand-in for the buildroot's package.mk: `make install` puts a package's files below $(ROOT), `make facts` says what
# else its Makefile tells the buildroot.

define user
	$(eval $(Package/$(1)))@echo 'user $(USERID)'
endef

define BuildPackage
install:
$(call Package/$(1)/install,$(ROOT))

facts:
	@echo 'name $(1)'
	@echo 'version $(PKG_VERSION)'
	@echo 'profile $(CARGO_PKG_PROFILE)'
	@echo 'features $(RUST_PKG_FEATURES)'
	$(call user,$(1))
	@echo 'conffiles $(strip $(Package/$(1)/conffiles))'
endef
