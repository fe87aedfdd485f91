#!/usr/bin/env bash
# Builds what can be built here of a program that is there, and reads what cannot:
#   packaging/check.sh BINARY
# Says what it did and what it left out for want of a tool; 1 when something is wrong.
set -euo pipefail
cd "$(dirname "$0")"
binary=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wrong() { echo "FAILED: $*"; exit 1; }
ok() { echo "  ok: $*"; }
skipped() { echo "  skipped: $*"; }
there_is() { command -v "$1" >/dev/null; }

for script in *.sh */*.sh debian/postinst debian/prerm; do
    bash -n "$script" || wrong "$script"
done
there_is shellcheck && { shellcheck -S warning ./*.sh ./*/*.sh debian/postinst debian/prerm || wrong shellcheck; }
ok "the scripts are scripts"

# The tarball: from an empty home to an answer, and back.
archive=$(tarball/build.sh "$binary" "$(uname -m)-unknown-linux-gnu" "$work")
mkdir "$work/once" && mv "$archive" "$work/once/"
archive=$(tarball/build.sh "$binary" "$(uname -m)-unknown-linux-gnu" "$work")
cmp "$archive" "$work/once/$(basename "$archive")" || wrong "two archives of the same files differ"
mkdir "$work/home" && tar -xzf "$archive" -C "$work"
unpacked=${archive%.tar.gz}
installed() { env -i HOME="$work/home" IPCD_HOME="$work/home" PATH="$work/prefix/bin:$PATH" "$@"; }
installed "$unpacked/install.sh" --prefix "$work/prefix" >"$work/said" || wrong "install.sh: $(cat "$work/said")"
installed ipcd send later hello >/dev/null || wrong "the installed program"
installed "$unpacked/install.sh" --prefix "$work/prefix" >/dev/null || wrong "install.sh over a running program"
installed "$unpacked/install.sh" --prefix "$work/prefix" --uninstall >/dev/null || wrong "install.sh --uninstall"
[ -z "$(find "$work/prefix" -type f)" ] || wrong "left in the prefix: $(find "$work/prefix" -type f)"
[ -s "$work/home/state/ipcd.redb" ] || wrong "the mail went with the program"
ok "tarball: built twice alike, installed, used, installed again, removed; the mail stays"

if there_is dpkg-deb && there_is dpkg-shlibdeps; then
    package=$(debian/build.sh "$binary" "$work")
    dpkg-deb -x "$package" "$work/deb" && [ -x "$work/deb/usr/bin/ipcd" ] || wrong "the deb holds no program"
    ok "deb: built, $(du -h "$package" | cut -f1)"
    if there_is lintian; then
        said=$(lintian --fail-on error,warning "$package" 2>/dev/null) || wrong "lintian: $said"
        ok "deb: lintian has nothing to say"
    else
        skipped "lintian is not here"
    fi
else
    skipped "deb: no dpkg-deb or dpkg-shlibdeps here"
fi

if there_is rpmbuild; then
    package=$(rpm/build.sh "$binary" "$work" 2>"$work/said") || wrong "rpm: $(cat "$work/said")"
    root=$work/rpm
    into_root() { rpm --root "$root" --dbpath /var/lib/rpm "$@" >"$work/said" 2>&1; }
    # Its scripts are for a system, which an empty folder is not.
    if [ "$(id -u)" != 0 ]; then
        skipped "rpm: only root can install it into a folder"
    else
        mkdir "$root"
        into_root --install --nodeps --noscripts --ignorearch "$package" || wrong "rpm: $(cat "$work/said")"
        [ "$("$root/usr/bin/ipcd" --version)" = "$("$binary" --version)" ] || wrong "rpm: another program"
        cmp systemd/ipcd.service "$root/usr/lib/systemd/user/ipcd.service" || wrong "rpm: other units"
        into_root --erase --noscripts ipcd || wrong "rpm: $(cat "$work/said")"
        [ -z "$(find "$root/usr" ! -type d)" ] || wrong "rpm left: $(find "$root/usr" ! -type d)"
    fi
    rpm -qp --scripts "$package" >/dev/null || wrong "rpm: scripts"
    ok "rpm: built, installed into a folder, its program runs, removed"
else
    skipped "rpm: no rpmbuild here"
fi

# Manifests, filled as for a release of these very files.
version=$(sed -n 's/^version = "\(.*\)"/\1/p' ../Cargo.toml | head -1)
echo source >"$work/ipcd-$version.tar.gz"
echo windows >"$work/ipcd-$version-x86_64-pc-windows-msvc.zip"
./manifests.sh "$work" https://example.invalid/ipcd "https://example.invalid/ipcd/v$version"
filled=$work/manifests
bash -n "$filled/PKGBUILD" || wrong PKGBUILD
(
    pkgver='' sha256sums=()
    # shellcheck source=/dev/null
    . "$filled/PKGBUILD"
    [ "$pkgver" = "$version" ] && [ "${#sha256sums[0]}" = 64 ] && declare -F build package >/dev/null
) || wrong "PKGBUILD: it lacks something"
ok "PKGBUILD: a script with version, checksum, build and package"
python3 - "$filled/ipcd.json" <<'PY' || wrong scoop
import json, sys
manifest = json.load(open(sys.argv[1]))
assert len(manifest["architecture"]["64bit"]["hash"]) == 64 and manifest["bin"] == "ipcd.exe"
PY
ok "scoop: JSON with its checksum"
if python3 -c 'import yaml' 2>/dev/null; then
    python3 - ../.github/workflows/release.yml "$filled"/winget/*.yaml <<'PY' || wrong "winget or the workflow"
import sys, yaml
workflow, *manifests = [yaml.safe_load(open(path)) for path in sys.argv[1:]]
needs = set(workflow["jobs"]["release"]["needs"])
assert needs == set(workflow["jobs"]) - {"release"}, needs
assert {m["ManifestType"] for m in manifests} == {"version", "installer", "defaultLocale"}
assert len({(m["PackageIdentifier"], m["PackageVersion"], m["ManifestVersion"]) for m in manifests}) == 1
PY
    ok "winget and the release workflow: YAML, and of one mind"
else
    skipped "winget, release.yml: python3 has no yaml here"
fi
python3 - ../Cargo.toml "$archive" "$(uname -m)-unknown-linux-gnu" <<'PY' || wrong Cargo.toml
import glob, os, sys, tarfile, tomllib
package = tomllib.load(open(sys.argv[1], "rb"))["package"]
meta = package["metadata"]
sources = [a[0] for a in meta["deb"]["assets"]] + [a["source"] for a in meta["generate-rpm"]["assets"]]
missing = [s for s in sources if not s.startswith("target/") and not glob.glob("../" + s)]
assert not missing, missing
rpm = meta["generate-rpm"]
assert os.path.exists("../" + rpm["post_install_script"]) and os.path.exists("../" + rpm["pre_uninstall_script"])
def filled(template):
    known = {"version": package["version"], "target": sys.argv[3], "bin": "ipcd", "binary-ext": "", "archive-suffix": ".tar.gz"}
    for name, value in known.items():
        template = template.replace("{ %s }" % name, value)
    return template
assert os.path.basename(filled(meta["binstall"]["pkg-url"])) == os.path.basename(sys.argv[2]), filled(meta["binstall"]["pkg-url"])
assert filled(meta["binstall"]["bin-dir"]) in tarfile.open(sys.argv[2]).getnames(), filled(meta["binstall"]["bin-dir"])
PY
ok "Cargo.toml: what cargo-deb and cargo-generate-rpm name is there, and the archive has the program where cargo-binstall looks"
# home-manager says again what the unit says.
said=$(sed -n '/^\[Service\]/,$p' systemd/ipcd.service | grep -E '^[A-Z][A-Za-z]*=' | cut -d= -f1 | sort)
again=$(sed -n '/Service = {/,/};/p' nix/home-manager.nix | sed -n 's/^ *\([A-Z][A-Za-z]*\) = .*/\1/p' | grep -v Service | sort)
[ "$said" = "$again" ] || wrong "nix/home-manager.nix and systemd/ipcd.service differ: $(diff <(echo "$said") <(echo "$again"))"
ok "the home-manager module names each setting of the unit"
if there_is nix-instantiate; then
    for file in nix/*.nix; do nix-instantiate --parse "$file" >/dev/null || wrong "$file"; done
    ok "nix: it parses"
else
    skipped "nix is not here: flake, package and module are not parsed"
fi
if there_is ruby; then ruby -c "$filled/ipcd.rb" >/dev/null || wrong formula; ok "formula: Ruby"; else skipped "ruby is not here: the formula is not parsed"; fi
python3 -c 'import sys, xml.etree.ElementTree as t; t.parse(sys.argv[1])' windows/ipcd-task.xml || wrong "the task of Windows"
ok "the task of Windows is XML"
