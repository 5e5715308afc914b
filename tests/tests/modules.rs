//! No module of a library uses one that uses it in turn, directly or by others: each can be read after those it uses.
//!
//! `cargo modules dependencies --acyclic` is meant for this, but takes a type and its own constructor for a circle.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};
use syn::{
    Attribute, Ident, Item, ItemUse, UseTree, Visibility,
    visit::{self, Visit},
};

/// The names of a module from the root of its crate, which has none.
type Module = Vec<String>;

/// The modules that each one uses.
type Uses = BTreeMap<Module, BTreeSet<Module>>;

/// What a module binds, imports and mentions.
#[derive(Default)]
struct Contents {
    /// Name in the module, and the path behind it.
    imports: BTreeMap<String, Vec<String>>,
    mentions: BTreeSet<Vec<String>>,
}

/// The modules of one crate, a file each.
#[derive(Default)]
struct Crate(BTreeMap<Module, Contents>);

impl Crate {
    fn read(root: &Path) -> Self {
        let mut modules = Self::default();
        modules.read_module(&root.join("lib.rs"), root, Vec::new());
        modules
    }

    /// Reads a file, and those whose modules it declares.
    fn read_module(&mut self, file: &Path, children: &Path, module: Module) {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut reader = Reader::default();
        reader.visit_file(&parsed);
        for name in reader.children {
            let child = [module.clone(), vec![name.clone()]].concat();
            let (own_folder, beside) = (children.join(&name), children.join(format!("{name}.rs")));
            let file = if beside.exists() { beside } else { own_folder.join("mod.rs") };
            self.read_module(&file, &own_folder, child);
        }
        self.0.insert(module, reader.contents);
    }

    /// The module in which the thing at a path is defined, if it is one of this crate.
    fn defines(&self, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        assert!(depth < 32, "{path:?} in {from:?} is imported from where it is imported to");
        let (first, rest) = path.split_first()?;
        let start = match first.as_str() {
            "crate" => Vec::new(),
            "self" => from.clone(),
            "super" => from.split_last()?.1.to_vec(),
            name if self.is_child(from, name) => [from.clone(), vec![name.to_owned()]].concat(),
            name => {
                let mut bound = self.0[from].imports.get(name)?.clone();
                // An import of a crate by its own name leads out of this one.
                if bound.first() == Some(first) {
                    return None;
                }
                bound.extend_from_slice(rest);
                return self.defines(from, &bound, depth + 1);
            }
        };
        Some(self.descend(start, rest, depth))
    }

    fn descend(&self, at: Module, rest: &[String], depth: usize) -> Module {
        let Some((name, further)) = rest.split_first() else { return at };
        if name == "super" {
            return self.descend(at[..at.len() - 1].to_vec(), further, depth);
        }
        if self.is_child(&at, name) {
            return self.descend([at, vec![name.clone()]].concat(), further, depth);
        }
        if let Some(bound) = self.0[&at].imports.get(name) {
            // Imported from another crate, it is none of ours, and is the business of who imports it.
            return self.defines(&at, bound, depth + 1).unwrap_or(at);
        }
        at
    }

    fn is_child(&self, module: &Module, name: &str) -> bool {
        self.0.contains_key(&[module.clone(), vec![name.to_owned()]].concat())
    }

    /// Which modules each one uses.
    fn uses(&self) -> Uses {
        self.0
            .iter()
            .map(|(module, contents)| {
                let used = contents.mentions.iter().filter_map(|path| self.defines(module, path, 0));
                (module.clone(), used.filter(|used| used != module).collect())
            })
            .collect()
    }
}

/// The circles among modules, each as all that are on it.
fn circles(uses: &Uses) -> BTreeSet<BTreeSet<&Module>> {
    let reached: BTreeMap<_, _> = uses.keys().map(|module| (module, reachable(module, uses))).collect();
    let mut circles = BTreeSet::new();
    for (module, others) in &reached {
        let circle: BTreeSet<_> = others.iter().copied().filter(|other| reached[other].contains(module)).collect();
        if !circle.is_empty() {
            circles.insert(circle);
        }
    }
    circles
}

fn reachable<'a>(from: &Module, uses: &'a Uses) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<_> = uses[from].iter().collect();
    while let Some(module) = open.pop() {
        if reached.insert(module) {
            open.extend(&uses[module]);
        }
    }
    reached
}

/// Reads one file; what is compiled for tests alone may reach wherever it likes.
#[derive(Default)]
struct Reader {
    contents: Contents,
    children: Vec<String>,
}

impl Reader {
    fn import(&mut self, tree: &UseTree, path: &[String], public: bool) {
        let longer = |name: &Ident| [path, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(inner) => self.import(&inner.tree, &longer(&inner.ident), public),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, path, public)),
            // A prelude, which passes on what others define: the arrow to it is all there is.
            UseTree::Glob(_) => drop(self.contents.mentions.insert(path.to_vec())),
            UseTree::Name(name) if name.ident == "self" => {
                self.bind(path.last().expect("a group is never first").clone(), path.to_vec(), public);
            }
            UseTree::Name(name) => self.bind(name.ident.to_string(), longer(&name.ident), public),
            UseTree::Rename(renamed) => self.bind(renamed.rename.to_string(), longer(&renamed.ident), public),
        }
    }

    fn bind(&mut self, name: String, path: Vec<String>, public: bool) {
        // What is only passed on is used where it is taken.
        if !public {
            self.contents.mentions.insert(path.clone());
        }
        self.contents.imports.insert(name, path);
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Mod(module) if is_for_tests(&module.attrs) => {}
            Item::Mod(module) if module.content.is_none() => self.children.push(module.ident.to_string()),
            Item::Fn(function) if is_for_tests(&function.attrs) => {}
            Item::Impl(block) if is_for_tests(&block.attrs) => {}
            Item::Use(import) if is_for_tests(&import.attrs) => {}
            item => visit::visit_item(self, item),
        }
    }

    fn visit_item_use(&mut self, import: &'ast ItemUse) {
        self.import(&import.tree, &[], !matches!(import.vis, Visibility::Inherited));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        // A name by itself is no module's, whatever a variable is called.
        if names.len() > 1 || !self.children.contains(&names[0]) {
            self.contents.mentions.insert(names);
        }
        visit::visit_path(self, path);
    }

    /// `pub(super)` uses nothing of it.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<Ident>().is_ok_and(|condition| condition == "test")
    })
}

fn source(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(of).join("src")
}

#[test]
fn no_module_uses_what_uses_it() {
    let mut found = Vec::new();
    for library in ["protocol", "server", "sdk-wasm"] {
        let modules = Crate::read(&source(library));
        let uses = modules.uses();
        let arrows: usize = uses.values().map(BTreeSet::len).sum();
        assert!(arrows > uses.len(), "{library}: {arrows} uses among {} modules are too few to be true", uses.len());
        for circle in circles(&uses) {
            for module in &circle {
                let onward: Vec<_> = uses[*module].iter().filter(|used| circle.contains(used)).collect();
                found.push(format!(
                    "{library}: {} uses {}",
                    module.join("::"),
                    onward.iter().map(|used| used.join("::")).collect::<Vec<_>>().join(", ")
                ));
            }
        }
    }
    assert!(found.is_empty(), "circles:\n{}", found.join("\n"));
}
