//! Every expression and every statement of a rule.

use regorus::unstable::{Expr, Literal, LiteralStmt, Query, Ref, Rule, RuleAssign, RuleHead};

/// Something of a rule.
pub(crate) enum Node<'a> {
    Expr(&'a Expr),
    Statement(&'a LiteralStmt),
}

/// Calls `visit` for each, parents first.
pub(crate) fn walk<'a>(rule: &'a Rule, visit: &mut dyn FnMut(Node<'a>)) {
    match rule {
        Rule::Default { refr, args, value, .. } => {
            expr(refr.as_ref(), visit);
            all(args, visit);
            expr(value.as_ref(), visit);
        }
        Rule::Spec { head, bodies, .. } => {
            match head {
                RuleHead::Compr { refr, assign, .. } => {
                    expr(refr.as_ref(), visit);
                    assigned(assign.as_ref(), visit);
                }
                RuleHead::Set { refr, key, .. } => {
                    expr(refr.as_ref(), visit);
                    all(key.as_slice(), visit);
                }
                RuleHead::Func { refr, args, assign, .. } => {
                    expr(refr.as_ref(), visit);
                    all(args, visit);
                    assigned(assign.as_ref(), visit);
                }
            }
            for body in bodies {
                assigned(body.assign.as_ref(), visit);
                query(body.query.as_ref(), visit);
            }
        }
    }
}

fn assigned<'a>(assign: Option<&'a RuleAssign>, visit: &mut dyn FnMut(Node<'a>)) {
    if let Some(assign) = assign {
        expr(assign.value.as_ref(), visit);
    }
}

fn all<'a>(exprs: &'a [Ref<Expr>], visit: &mut dyn FnMut(Node<'a>)) {
    for one in exprs {
        expr(one.as_ref(), visit);
    }
}

fn query<'a>(query_: &'a Query, visit: &mut dyn FnMut(Node<'a>)) {
    for statement in &query_.stmts {
        visit(Node::Statement(statement));
        match &statement.literal {
            Literal::SomeVars { .. } => {}
            Literal::SomeIn { key, value, collection, .. } => {
                all(key.as_slice(), visit);
                expr(value.as_ref(), visit);
                expr(collection.as_ref(), visit);
            }
            Literal::Expr { expr: one, .. } | Literal::NotExpr { expr: one, .. } => expr(one.as_ref(), visit),
            Literal::Every { domain, query: inner, .. } => {
                expr(domain.as_ref(), visit);
                query(inner.as_ref(), visit);
            }
        }
        for with in &statement.with_mods {
            expr(with.refr.as_ref(), visit);
            expr(with.r#as.as_ref(), visit);
        }
    }
}

fn expr<'a>(one: &'a Expr, visit: &mut dyn FnMut(Node<'a>)) {
    visit(Node::Expr(one));
    match one {
        Expr::Array { items, .. } | Expr::Set { items, .. } => all(items, visit),
        Expr::Object { fields, .. } => {
            for (_, key, value) in fields {
                expr(key.as_ref(), visit);
                expr(value.as_ref(), visit);
            }
        }
        Expr::ArrayCompr { term, query: inner, .. } | Expr::SetCompr { term, query: inner, .. } => {
            expr(term.as_ref(), visit);
            query(inner.as_ref(), visit);
        }
        Expr::ObjectCompr { key, value, query: inner, .. } => {
            expr(key.as_ref(), visit);
            expr(value.as_ref(), visit);
            query(inner.as_ref(), visit);
        }
        Expr::Call { fcn, params, .. } => {
            expr(fcn.as_ref(), visit);
            all(params, visit);
        }
        Expr::UnaryExpr { expr: inner, .. } => expr(inner.as_ref(), visit),
        Expr::RefDot { refr, .. } => expr(refr.as_ref(), visit),
        Expr::RefBrack { refr, index, .. } => {
            expr(refr.as_ref(), visit);
            expr(index.as_ref(), visit);
        }
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => {
            expr(lhs.as_ref(), visit);
            expr(rhs.as_ref(), visit);
        }
        Expr::Membership { key, value, collection, .. } => {
            all(key.as_slice(), visit);
            expr(value.as_ref(), visit);
            expr(collection.as_ref(), visit);
        }
        _ => {}
    }
}
