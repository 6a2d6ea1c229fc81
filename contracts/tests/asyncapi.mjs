// Prints what the official parser of AsyncAPI says of each file: [{file, severity, code, message}].
import { Parser, fromFile } from "@asyncapi/parser";

const said = [];
for (const file of process.argv.slice(2)) {
  const { diagnostics } = await fromFile(new Parser(), file).parse();
  for (const { severity, code, message, path } of diagnostics) {
    said.push({ file, severity, code, message, pointer: path.map((token) => `/${token}`).join("") });
  }
}
console.log(JSON.stringify(said));
