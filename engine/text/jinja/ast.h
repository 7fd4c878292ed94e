#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/text/jinja/position.h"
#include "engine/text/jinja/value.h"

namespace enigma::engine::jinja {

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

enum class ExprKind {
  kLiteral,      // literal
  kName,         // name
  kList,         // children
  kTuple,        // children
  kDict,         // children: key, value, key, value, ...
  kAttribute,    // children[0] . name
  kSubscript,    // children[0] [ children[1] ]
  kSlice,        // children[0] [ children[1] : children[2] : children[3] ], each of the three may be null
  kCall,         // children[0] ( arguments )
  kFilter,       // children[0] | name ( arguments )
  kTest,         // children[0] is name ( arguments )
  kNegate,       // - children[0]
  kPlus,         // + children[0]
  kNot,          // not children[0]
  kAnd,          // children[0] and children[1]
  kOr,           // children[0] or children[1]
  kBinary,       // children[0] name children[1], name being + - * / // % **
  kConcatenate,  // children joined as text
  kCompare,      // children[0] operators[0] children[1] operators[1] children[2] ...
  kTernary,      // children[0] if children[1] else children[2], which may be null
  kBlockText,    // the text of the block that a filter stands over
};

// One argument of a call: positional, named, or spread from a list (*) or dict (**).
struct Argument {
  enum class Kind { kPositional, kNamed, kList, kDict };
  Kind kind;
  std::string name;
  ExprPtr value;
};

struct Expr {
  ExprKind kind;
  Position at;
  int height = 1;  // of the tree: bounds recursion over it
  std::string name;
  Value literal;
  std::vector<ExprPtr> children;
  std::vector<std::string> operators;
  std::vector<Argument> arguments;
};

struct Stmt;
using StmtPtr = std::unique_ptr<Stmt>;
using Body = std::vector<StmtPtr>;

enum class StmtKind {
  kText,      // text
  kOutput,    // expressions[0]
  kIf,        // expressions are conditions, bodies their branches; one body more is the else
  kFor,       // targets[0] in expressions[0] if expressions[1] (or null); bodies: loop, and else if there is one
  kSet,       // targets[0] = expressions[0]
  kSetBlock,  // targets[0] = bodies[0] through expressions[0] (or null)
  kMacro,     // signature, bodies[0]
  kCall,      // expressions[0] is a call; signature and bodies[0] are its caller
  kFilter,    // expressions[0] over bodies[0]
  kWith,      // targets[i] = expressions[i] in bodies[0]
  kScoped,    // bodies[0] in a scope of its own: a generation block
  kBreak,
  kContinue,
};

// The parameters of a macro or caller; the last defaults.size() of them have defaults.
struct Signature {
  std::string name;
  std::vector<std::string> parameters;
  std::vector<ExprPtr> defaults;
  bool uses_varargs = false, uses_kwargs = false, uses_caller = false;
};

struct Stmt {
  StmtKind kind;
  Position at;
  std::string text;
  bool recursive = false;
  std::vector<ExprPtr> targets;
  std::vector<ExprPtr> expressions;
  std::vector<Body> bodies;
  Signature signature;
};

}  // namespace enigma::engine::jinja
