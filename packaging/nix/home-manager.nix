# services.ipcd.enable = true;   with homeManagerModules.default of the flake among the imports.
self:
{ config, lib, pkgs, ... }:

let
  cfg = config.services.ipcd;
  toml = pkgs.formats.toml { };
in
{
  options.services.ipcd = {
    enable = lib.mkEnableOption "ipcd, a mailbox for coding agents";

    package = lib.mkOption {
      type = lib.types.package;
      default = self.packages.${pkgs.stdenv.hostPlatform.system}.default;
      description = "The ipcd to run.";
    };

    settings = lib.mkOption {
      inherit (toml) type;
      default = { };
      example = { limits.sends_per_minute = 200; };
      description = "What goes into config.toml; every key is in src/config/default.toml.";
    };
  };

  config = lib.mkIf cfg.enable {
    home.packages = [ cfg.package ];

    xdg.configFile."ipcd/config.toml" = lib.mkIf (cfg.settings != { }) {
      source = toml.generate "ipcd-config.toml" cfg.settings;
    };

    # The words of packaging/systemd, which say why each of them is there.
    systemd.user.sockets.ipcd = lib.mkIf pkgs.stdenv.hostPlatform.isLinux {
      Unit.Description = "Mailbox for coding agents";
      Socket = {
        ListenStream = "%t/ipcd/ipcd.sock";
        SocketMode = "0600";
        DirectoryMode = "0700";
        FileDescriptorName = "ipcd";
      };
      Install.WantedBy = [ "sockets.target" ];
    };

    systemd.user.services.ipcd = lib.mkIf pkgs.stdenv.hostPlatform.isLinux {
      Unit = {
        Description = "Mailbox for coding agents";
        Requires = [ "ipcd.socket" ];
        After = [ "ipcd.socket" ];
        StartLimitIntervalSec = 0;
      };
      Service = {
        Type = "notify";
        ExecStart = "${cfg.package}/bin/ipcd daemon";
        NoNewPrivileges = true;
        UMask = "0077";
        LimitNOFILE = 4096;
        TasksMax = 128;
        MemoryMax = "1G";
        RestrictAddressFamilies = "AF_UNIX";
        SystemCallFilter = "@system-service seccomp";
        SystemCallArchitectures = "native";
        LockPersonality = true;
        MemoryDenyWriteExecute = true;
        RestrictRealtime = true;
        RestrictSUIDSGID = true;
        RestrictNamespaces = true;
      };
    };
  };
}
