# A template: packaging/manifests.sh puts version, address and checksum in place of the names between two @.
class Ipcd < Formula
  desc "Durable mailbox for the coding agents of one person on one machine"
  homepage "@HOMEPAGE@"
  url "@URL@/ipcd-@VERSION@.tar.gz"
  sha256 "@SHA256_SOURCE@"
  license any_of: ["MIT", "Apache-2.0"]

  depends_on "rust" => :build

  def install
    system "cargo", "install", *std_cargo_args
    man1.install Dir["packaging/man/*.1"]
    bash_completion.install "packaging/completions/ipcd.bash" => "ipcd"
    zsh_completion.install "packaging/completions/_ipcd"
    fish_completion.install "packaging/completions/ipcd.fish"
  end

  # `brew services start ipcd` starts the daemon at login. `ipcd service install` does more: launchd keeps the
  # socket, and the daemon may end when nobody needs it.
  service do
    run [opt_bin/"ipcd", "daemon"]
    keep_alive crashed: true
    process_type :background
    error_log_path var/"log/ipcd.log"
  end

  test do
    ENV["IPCD_HOME"] = testpath/"home"
    system bin/"ipcd", "demo"
    assert_match version.to_s, shell_output("#{bin}/ipcd --version")
  end
end
