{ lib, rustPlatform, installShellFiles, stdenv }:

let
  manifest = (lib.importTOML ../../Cargo.toml).package;
in
rustPlatform.buildRustPackage {
  pname = manifest.name;
  inherit (manifest) version;

  src = lib.cleanSource ../..;
  cargoLock.lockFile = ../../Cargo.lock;

  nativeBuildInputs = [ installShellFiles ];

  # They start user managers, sandboxes and other users, which a builder has not.
  cargoTestFlags = [ "--lib" ];

  postInstall = ''
    installManPage packaging/man/*.1
    installShellCompletion --cmd ipcd \
      --bash packaging/completions/ipcd.bash \
      --zsh packaging/completions/_ipcd \
      --fish packaging/completions/ipcd.fish
  '' + lib.optionalString stdenv.hostPlatform.isLinux ''
    install -D -m 644 -t $out/lib/systemd/user packaging/systemd/ipcd.socket packaging/systemd/ipcd.service
    substituteInPlace $out/lib/systemd/user/ipcd.service --replace-fail /usr/bin/ipcd $out/bin/ipcd
  '';

  meta = {
    inherit (manifest) description;
    license = with lib.licenses; [ mit asl20 ];
    mainProgram = "ipcd";
    platforms = lib.platforms.unix;
  };
}
