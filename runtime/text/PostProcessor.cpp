// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/text/PostProcessor.h"

#include "runtime/text/Bpe.h"
#include "runtime/text/JsonFields.h"

namespace chimera::text {

/// Appends the ids of special_tokens[name].
static void readSpecial(Fields &fields, const nlohmann::json &all, const std::string &name, std::vector<int32_t> &out) {
  if (!all.contains(name))
    return fields.fail("lacks " + io::quote(name) + ", which the template has", "special_tokens");
  Fields token(all[name], fields.where() + ".special_tokens." + io::quote(name));
  token.ignore("id");
  token.ignore("tokens");
  for (const nlohmann::json &id : token.array("ids")) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > uint64_t(Bpe::idLimit))
      return token.fail("must be ids of tokens", "ids"), fields.fail(token.finish().error());
    out.push_back(int32_t(id.get<uint64_t>()));
  }
  if (io::Status status = token.finish(); !status)
    fields.fail(status.error());
}

/// Reads `single`: special tokens, and the text ("Sequence", A) once.
static Frame readTemplate(Fields &fields) {
  Frame frame;
  fields.ignore("pair");
  const nlohmann::json &pieces = fields.array("single");
  const nlohmann::json &special = fields.object("special_tokens");
  bool behind = false;
  for (size_t i = 0; i < pieces.size(); ++i) {
    std::string where = fields.where() + ".single[" + std::to_string(i) + "]";
    Fields piece(pieces[i], where);
    bool isText = piece.has("Sequence");
    const char *kind = isText ? "Sequence" : "SpecialToken";
    Fields content(piece.object(kind), where + "." + kind);
    std::string id = content.string("id");
    content.ignore("type_id");
    if (isText && (id != "A" || behind))
      content.fail("must be the text A, once", "id");
    for (Fields *read : {&content, &piece})
      if (io::Status status = read->finish(); !status)
        fields.fail(status.error());
    if (isText)
      behind = true;
    else
      readSpecial(fields, special, id, behind ? frame.behind : frame.before);
  }
  if (!behind)
    fields.fail("has no place for the text", "single");
  return frame;
}

/// A token as ["name", id].
static std::vector<int32_t> readPair(Fields &fields, const char *name) {
  const nlohmann::json &pair = fields.array(name);
  bool valid = pair.size() == 2 && pair[0].is_string() && pair[1].is_number_unsigned() &&
               pair[1].get<uint64_t>() <= uint64_t(Bpe::idLimit);
  if (valid)
    return {int32_t(pair[1].get<uint64_t>())};
  fields.fail("must be a token and its id", name);
  return {};
}

io::Result<Frame> readFrame(const nlohmann::json &object, const std::string &where) {
  Fields fields(object, where);
  Frame frame;
  std::string type = fields.string("type");
  if (type == "ByteLevel") { // changes offsets alone
    fields.ignore("add_prefix_space");
    fields.ignore("trim_offsets");
    fields.ignore("use_regex");
  } else if (type == "TemplateProcessing") {
    frame = readTemplate(fields);
  } else if (type == "RobertaProcessing" || type == "BertProcessing") {
    fields.ignore("trim_offsets");
    fields.ignore("add_prefix_space");
    frame = {readPair(fields, "cls"), readPair(fields, "sep")};
  } else if (type == "Sequence") {
    const nlohmann::json &steps = fields.array("processors");
    for (size_t i = 0; i < steps.size(); ++i) {
      io::Result<Frame> step = readFrame(steps[i], where + ".processors[" + std::to_string(i) + "]");
      if (!step)
        return step.error();
      frame.before.insert(frame.before.begin(), step->before.begin(), step->before.end());
      frame.behind.insert(frame.behind.end(), step->behind.begin(), step->behind.end());
    }
  } else {
    fields.fail("the post-processor " + io::quote(type) + " is not supported", "type");
  }
  if (io::Status status = fields.finish(); !status)
    return status.error();
  return frame;
}

} // namespace chimera::text
