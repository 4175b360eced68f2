//! Scope as a set that keeps its order (RFC 6749 §3.3).

use std::collections::BTreeSet;

use oauth2_proto::{Misuse, Scope};
use proptest::prelude::*;

fn set(scope: &Scope) -> BTreeSet<&str> {
    scope.iter().collect()
}

#[test]
fn tokens_keep_the_order_in_which_they_were_given() {
    let scope = Scope::new("write read admin").unwrap();
    assert_eq!(scope.as_str(), "write read admin");
    assert_eq!(scope.to_string(), "write read admin");
    assert_eq!(scope.iter().collect::<Vec<_>>(), ["write", "read", "admin"]);
}

#[test]
fn an_empty_scope_has_no_token() {
    for scope in [Scope::default(), Scope::new("").unwrap(), Scope::new("   ").unwrap()] {
        assert!(scope.is_empty());
        assert_eq!(scope.iter().next(), None);
        assert_eq!(scope.as_str(), "");
        assert!(!scope.contains(""));
    }
}

#[test]
fn any_number_of_spaces_separates() {
    assert_eq!(Scope::new("  a   b ").unwrap().as_str(), "a b");
}

#[test]
fn a_repeated_token_counts_once_where_it_first_stood() {
    assert_eq!(Scope::new("b a b a c").unwrap().as_str(), "b a c");
}

#[test]
fn scopes_are_compared_as_sets() {
    let scope = Scope::new("a b").unwrap();
    assert_eq!(scope, Scope::new("b a").unwrap());
    assert_ne!(scope, Scope::new("a").unwrap());
    assert_ne!(scope, Scope::new("a B").unwrap(), "case counts");
    assert_ne!(scope, Scope::new("ab").unwrap());
}

#[test]
fn a_token_is_found_as_a_whole() {
    let scope = Scope::new("read:user repo").unwrap();
    assert!(scope.contains("repo") && scope.contains("read:user"));
    for other in ["", "read", "user", "rep", "repos", "REPO", "read:user repo", " "] {
        assert!(!scope.contains(other), "{other:?}");
    }
}

/// RFC 6749 §3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`.
#[test]
fn every_character_is_allowed_or_refused_as_the_grammar_says() {
    for c in ('\0'..='\u{17F}').chain(['\u{2028}', '\u{FEFF}', '\u{FF21}', '\u{10FFFF}']) {
        let allowed = matches!(c, '\x21' | '\x23'..='\x5B' | '\x5D'..='\x7E');
        let scope = Scope::new(&format!("a{c}b"));
        match scope {
            Ok(scope) if c == ' ' => assert_eq!(scope.as_str(), "a b"),
            Ok(scope) => assert!(allowed && scope.contains(&format!("a{c}b")), "{c:?}"),
            Err(misuse) => assert!(!allowed && misuse == Misuse::Scope, "{c:?}"),
        }
    }
}

#[test]
fn debug_shows_a_set() {
    assert_eq!(format!("{:?}", Scope::new("b a").unwrap()), r#"{"b", "a"}"#);
}

/// Tokens of a small alphabet, so that sets overlap.
fn scope() -> impl Strategy<Value = Scope> {
    "[a-d ]{0,12}".prop_map(|text| Scope::new(&text).unwrap_or_default())
}

proptest! {
    #[test]
    fn what_is_printed_reads_the_same(text in "[!#-\\[\\]-~ ]{0,40}") {
        let scope = Scope::new(&text).unwrap();
        let again = Scope::new(scope.as_str()).unwrap();
        prop_assert_eq!(again.as_str(), scope.as_str());
        prop_assert_eq!(&again, &scope);
        prop_assert_eq!(set(&scope), text.split(' ').filter(|token| !token.is_empty()).collect());
    }

    #[test]
    fn no_text_makes_it_panic(text: String) {
        let grammar = |c| matches!(c, ' ' | '\x21' | '\x23'..='\x5B' | '\x5D'..='\x7E');
        prop_assert_eq!(Scope::new(&text).is_ok(), text.chars().all(grammar));
    }

    #[test]
    fn a_union_has_the_tokens_of_both(one in scope(), other in scope()) {
        let union = one.union(&other);
        prop_assert_eq!(set(&union), set(&one).union(&set(&other)).copied().collect());
        prop_assert!(union.as_str().starts_with(one.as_str()));
        prop_assert_eq!(&union, &other.union(&one));
        prop_assert_eq!(&one.union(&one), &one);
        prop_assert_eq!(&one.union(&Scope::default()), &one);
    }

    #[test]
    fn without_leaves_the_tokens_of_one_alone(one in scope(), other in scope()) {
        let rest = one.without(&other);
        prop_assert_eq!(set(&rest), set(&one).difference(&set(&other)).copied().collect());
        prop_assert!(one.without(&one).is_empty());
        prop_assert_eq!(one.without(&Scope::default()), one.clone());
        prop_assert_eq!(rest.union(&other), one.union(&other));
        prop_assert_eq!(one.is_empty(), one.iter().count() == 0);
    }

    #[test]
    fn the_order_of_tokens_does_not_matter_to_equality(text in "[a-d ]{0,12}") {
        let scope = Scope::new(&text).unwrap();
        let mut tokens: Vec<_> = scope.iter().collect();
        tokens.reverse();
        prop_assert_eq!(Scope::new(&tokens.join(" ")).unwrap(), scope);
    }

    #[test]
    fn equality_is_that_of_sets(one in scope(), other in scope()) {
        prop_assert_eq!(one == other, set(&one) == set(&other));
    }
}
