# Lies beside this file in the release's source: nix run 'PATH-OR-ADDRESS?dir=packaging/nix'
{
  description = "A durable mailbox for the coding agents of one person on one machine";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ];
      forAll = f: nixpkgs.lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
    in
    {
      packages = forAll (pkgs: rec {
        ipcd = pkgs.callPackage ./package.nix { };
        default = ipcd;
      });

      homeManagerModules.default = import ./home-manager.nix self;
    };
}
