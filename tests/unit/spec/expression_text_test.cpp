#include <gtest/gtest.h>

#include <random>

#include "spec/expression_node.hpp"

namespace mlpipe::spec {
namespace {

using Node = Expression::Node;

constexpr Where k_start{.line = 1, .column = 1, .file = 0};

struct Case {
  std::string text;
  std::string canonical;
};

TEST(ExpressionText, IsCanonical) {
  const Case cases[] = {
      {"1+2*3", "1 + 2 * 3"},
      {"(1+2)*3", "(1 + 2) * 3"},
      {"1-(2-3)", "1 - (2 - 3)"},
      {"(1-2)-3", "(1 - 2) - 3"},
      {"((inputs.x))", "inputs.x"},
      {"a_b", ""},
      {"!(inputs.a==1)&&!inputs.b", "!(inputs.a == 1) && !inputs.b"},
      {"a", ""},
      {"[1,2.0,\"it's\"]", "[1, 2.0, 'it\\'s']"},
      {"true?1:false?2:3", "true ? 1 : false ? 2 : 3"},
      {"(true?false:true)?2:3", "(true ? false : true) ? 2 : 3"},
      {"item [ 'k' ] . l [0] ['path'] ['2nd'] ['a b']", "item.k.l[0]['path']['2nd']['a b']"},
      {"inputs['x'].path", "inputs.x.path"},
      {"inputs.x['path']", "inputs.x['path']"},
      {"tasks['my task'].outputs['a-b']", "tasks['my task'].outputs.a-b"},
      {"- 5", "-5"},
      {"-(5)", "-5"},
      {"(-5)['k']", "(-5).k"},
      {"1['k']", "(1).k"},
      {"-item.k", "-item.k"},
      {"(-item).k", "(-item).k"},
      {"1e5", "100000.0"},
      {"1e300", "1e+300"},
      {"-0.0", "-0.0"},
      {"'\\u0007\\n\\t\\\\'", "'\\u0007\\n\\t\\\\'"},
      {"int( inputs.x )in[1]", "int(inputs.x) in [1]"},
  };
  for (const Case& c : cases) {
    auto expression = parse_expression(c.text, k_start);
    if (c.canonical.empty()) {
      EXPECT_FALSE(expression.has_value()) << c.text;
      continue;
    }
    ASSERT_TRUE(expression.has_value()) << c.text << ": " << expression.error().message;
    EXPECT_EQ(expression->text(), c.canonical) << c.text;
  }
}

// Makes trees of every form, from a seed.
class Generator final {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  Node node(int depth) {
    int form = depth == 0 ? pick(2) : pick(8);
    Node made;
    switch (form) {
      case 0: made.form = Node::Literal{literal()}; break;
      case 1: made.form = reference(); break;
      case 2:
        made.form = Node::List{};
        for (int i = pick(4); i > 0; --i) made.children.push_back(node(depth - 1));
        break;
      case 3: made = with(Node::Index{}, {node(depth - 1), node(depth - 1)}); break;
      case 4:
        made = with(Node::Unary{pick(2) == 0 ? Operator::logical_not : Operator::negate}, {node(depth - 1)});
        break;
      case 5: made = chain(depth); break;
      case 6: made = with(Node::Conditional{}, {node(depth - 1), node(depth - 1), node(depth - 1)}); break;
      default: made = with(Node::Call{static_cast<Function>(pick(5))}, {node(depth - 1)});
    }
    return made;
  }

 private:
  int pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  template <class Form>
  static Node with(Form form, std::vector<Node> children) {
    return Node{.form = std::move(form), .children = std::move(children)};
  }

  Value literal() {
    switch (pick(9)) {
      case 0: return nullptr;
      case 1: return pick(2) == 0;
      case 2: return pick(10) - 5;
      case 3: return INT64_MIN;
      case 4: return (pick(2000) - 1000) / 64.0;
      case 5: return std::ldexp(pick(1000) - 500, pick(400) - 200);
      case 6: return double(pick(100));
      default: return name();
    }
  }

  std::string name() {
    static const std::vector<std::string> names = {"x",
                                                   "a-b",
                                                   "a--b-",
                                                   "-",
                                                   "",
                                                   "2nd",
                                                   "in",
                                                   "true",
                                                   "path",
                                                   "uri",
                                                   "my task",
                                                   "it's",
                                                   "\"}}\"",
                                                   "größe",
                                                   "\n\t\x01\x7f\\",
                                                   "pipelinechannel--f-Output",
                                                   "e5"};
    return names[static_cast<std::size_t>(pick(static_cast<int>(names.size())))];
  }

  Reference reference() {
    switch (pick(6)) {
      case 0: return Reference{{"parameters", name()}, {}};
      case 1: return Reference{{"tasks", name(), "outputs", name()}, {}};
      case 2: return Reference{{"tasks", name(), "outputs", name(), "path"}, {}};
      case 3: return Reference{{"inputs", name()}, {}};
      case 4: return Reference{{"outputs", name(), "uri"}, {}};
      default: return Reference{{"item"}, {}};
    }
  }

  Node chain(int depth) {
    static const std::vector<std::vector<Operator>> levels = {
        {Operator::logical_or},
        {Operator::logical_and},
        {Operator::equal, Operator::not_equal, Operator::less, Operator::less_equal, Operator::greater,
         Operator::greater_equal, Operator::in},
        {Operator::add, Operator::subtract},
        {Operator::multiply, Operator::divide, Operator::modulo}};
    const auto& level = levels[static_cast<std::size_t>(pick(5))];
    Node::Chain chain;
    Node made;
    made.children.push_back(node(depth - 1));
    for (int i = &level == &levels[2] ? 1 : 1 + pick(3); i > 0; --i) {
      chain.operators.push_back(level[static_cast<std::size_t>(pick(static_cast<int>(level.size())))]);
      made.children.push_back(node(depth - 1));
    }
    made.form = std::move(chain);
    return made;
  }

  std::mt19937 random_;
};

// The value, or the message of the error.
std::string outcome(const Expression& expression) {
  Result<Value> value = evaluate(expression, [](const Reference& reference) -> Result<Value> {
    if (reference.path[0] == "parameters") return Value(static_cast<std::int64_t>(reference.path[1].size()));
    if (reference.path[0] == "inputs") return Value(Value::List{Value(1), Value(true)});
    if (reference.path[0] == "item") return Value(Value::Struct{{"x", Value(2)}, {"path", Value("p")}});
    return Value(to_string(reference));
  });
  return value ? to_json(*value) : value.error().message;
}

TEST(ExpressionText, OfRandomTreesParsesBackToTheSameTextAndValue) {
  std::size_t evaluated = 0;
  for (unsigned seed = 0; seed < 5'000; ++seed) {
    Expression made(std::make_shared<const Node>(Generator(seed).node(static_cast<int>(seed % 5))));
    std::string text = made.text();
    auto parsed = parse_expression(text, k_start);
    ASSERT_TRUE(parsed.has_value()) << "seed " << seed << ": " << text << ": " << parsed.error().message;
    ASSERT_EQ(parsed->text(), text) << "seed " << seed;
    ASSERT_EQ(outcome(*parsed), outcome(made)) << "seed " << seed << ": " << text;
    ASSERT_EQ(parsed->references().size(), made.references().size()) << text;
    evaluated += evaluate(made, [](const Reference&) { return Result<Value>(Value(1)); }).has_value() ? 1U : 0U;
  }
  EXPECT_GT(evaluated, 1'500U);  // not only errors were compared
}

}  // namespace
}  // namespace mlpipe::spec
