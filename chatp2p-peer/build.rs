//! Looks at the page's folder anew before each build: what is embedded is tracked file by file, and a new file by nobody.

fn main() {
    println!("cargo::rerun-if-changed=webui");
}
