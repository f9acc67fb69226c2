//! The tree of categories: where a category may stand, what is below one, how shoppers see it. Pure.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use utoipa::ToSchema;

use crate::catalog::error::Refusal;
use crate::catalog::text::Text;
use crate::limits::CATEGORY_DEPTH_MAX;

/// One category, as far as the tree is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) parent: Option<String>,
    pub(crate) title: Text,
    pub(crate) position: u32,
}

/// A category with those below it, as shoppers see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Branch {
    #[schema(example = "mugs")]
    pub id: String,
    pub title: Text,
    #[schema(no_recursion)]
    pub children: Vec<Branch>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    pub(crate) fn new(nodes: Vec<Node>) -> Self {
        Self { nodes }
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether `id`, new or with all that is below it, may stand below `parent`.
    ///
    /// # Errors
    /// [`Refusal::UnknownCategory`], [`Refusal::CategoryCycle`], [`Refusal::CategoryTooDeep`].
    pub(crate) fn place(&self, id: &str, parent: Option<&str>) -> Result<(), Refusal> {
        let parents: HashMap<&str, Option<&str>> = self
            .nodes
            .iter()
            .map(|node| (node.id.as_str(), node.parent.as_deref()))
            .collect();
        let mut depth = self.height(id);
        let mut above = parent;
        while let Some(next) = above {
            if next == id {
                return Err(Refusal::CategoryCycle);
            }
            depth += 1;
            above = *parents.get(next).ok_or(Refusal::UnknownCategory)?;
        }
        if depth > CATEGORY_DEPTH_MAX {
            return Err(Refusal::CategoryTooDeep);
        }
        Ok(())
    }

    /// Levels of `id` and what is below it; 1 where nothing is.
    fn height(&self, id: &str) -> usize {
        let children = self.children();
        let mut level = vec![id];
        let mut height = 1;
        loop {
            level = level
                .iter()
                .flat_map(|id| children.get(&Some(*id)).into_iter().flatten())
                .map(|node| node.id.as_str())
                .collect();
            // A cycle cannot be in there: every change has been checked by `place` under the lock.
            if level.is_empty() || height > CATEGORY_DEPTH_MAX {
                return height;
            }
            height += 1;
        }
    }

    /// `id` and all that is below it; nothing where there is no such category.
    pub(crate) fn subtree(&self, id: &str) -> Vec<&str> {
        let children = self.children();
        let mut found: Vec<&str> = self
            .nodes
            .iter()
            .filter(|node| node.id == id)
            .map(|node| node.id.as_str())
            .collect();
        let mut next = 0;
        while next < found.len() {
            let below = children.get(&Some(found[next])).into_iter().flatten();
            found.extend(below.map(|node| node.id.as_str()));
            next += 1;
        }
        found
    }

    /// The whole tree, siblings in their order.
    pub(crate) fn branches(&self) -> Vec<Branch> {
        branches(&self.children(), None)
    }

    fn children(&self) -> BTreeMap<Option<&str>, Vec<&Node>> {
        let mut children: BTreeMap<Option<&str>, Vec<&Node>> = BTreeMap::new();
        for node in &self.nodes {
            children
                .entry(node.parent.as_deref())
                .or_default()
                .push(node);
        }
        for siblings in children.values_mut() {
            siblings.sort_by(|a, b| (a.position, &a.id).cmp(&(b.position, &b.id)));
        }
        children
    }
}

fn branches(children: &BTreeMap<Option<&str>, Vec<&Node>>, parent: Option<&str>) -> Vec<Branch> {
    let below = children.get(&parent).into_iter().flatten();
    below
        .map(|node| Branch {
            id: node.id.clone(),
            title: node.title.clone(),
            children: branches(children, Some(&node.id)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `home > kitchen > mugs`, `toys`.
    fn tree() -> Tree {
        let node = |id: &str, parent: Option<&str>, position| Node {
            id: id.to_owned(),
            parent: parent.map(str::to_owned),
            title: Text::default(),
            position,
        };
        Tree::new(vec![
            node("toys", None, 1),
            node("mugs", Some("kitchen"), 0),
            node("kitchen", Some("home"), 0),
            node("home", None, 0),
        ])
    }

    #[test]
    fn a_category_stands_below_any_other_but_those_below_itself() {
        let tree = tree();
        assert!(tree.place("toys", Some("mugs")).is_ok());
        assert!(tree.place("home", None).is_ok());
        assert!(tree.place("new", Some("mugs")).is_ok());
        for below in ["home", "kitchen", "mugs"] {
            assert!(matches!(
                tree.place("home", Some(below)),
                Err(Refusal::CategoryCycle)
            ));
        }
        assert!(matches!(
            tree.place("toys", Some("nowhere")),
            Err(Refusal::UnknownCategory)
        ));
    }

    #[test]
    fn depth_counts_what_moves_along() {
        let mut nodes = tree().nodes;
        for depth in 1..CATEGORY_DEPTH_MAX - 1 {
            let parent = if depth == 1 {
                "toys".to_owned()
            } else {
                format!("t{}", depth - 1)
            };
            nodes.push(Node {
                id: format!("t{depth}"),
                parent: Some(parent),
                title: Text::default(),
                position: 0,
            });
        }
        let tree = Tree::new(nodes);
        let deepest = format!("t{}", CATEGORY_DEPTH_MAX - 2);
        assert!(tree.place("mugs", Some(&deepest)).is_ok());
        assert!(matches!(
            tree.place("kitchen", Some(&deepest)),
            Err(Refusal::CategoryTooDeep)
        ));
    }

    #[test]
    fn a_subtree_is_all_that_is_below_and_shoppers_see_siblings_in_order() {
        let tree = tree();
        assert_eq!(tree.subtree("home"), ["home", "kitchen", "mugs"]);
        assert!(tree.subtree("nowhere").is_empty());
        let top: Vec<_> = tree
            .branches()
            .into_iter()
            .map(|branch| (branch.id, branch.children.len()))
            .collect();
        assert_eq!(top, [("home".to_owned(), 1), ("toys".to_owned(), 0)]);
    }
}
