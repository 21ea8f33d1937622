/** The document of `sluice --help --json` as a zod schema; docs/command-line.schema.json is generated from it. */
import { z } from 'zod'
import type { CommandLineDocument } from '../../src/cli/help/help-json.ts'

const described = (description: string) => ({ description })
const text = z.string().nullable()
const type = z.enum(['text', 'number', 'flag', 'choice'])
const choices = z.array(z.string()).meta(described('values that fit; empty where any value fits'))

const positional = z.strictObject({
  name: z.string(),
  type,
  choices,
  description: z.string(),
  repeatable: z.boolean(),
  required: z.boolean(),
})

const option = z.strictObject({
  name: z.string().meta(described('without dashes')),
  alias: text,
  type,
  unit: text.meta(described('what a value counts or how a text is read, such as duration or bytes')),
  choices,
  least: z.number().nullable().meta(described('least number; of a duration in milliseconds')),
  most: z.number().nullable(),
  default: z.union([z.string(), z.number(), z.boolean(), z.null()]).meta(described('without the config file')),
  defaultText: text.meta(described('the default in words where it is no one value')),
  description: z.string(),
  group: text.meta(described('heading on the page')),
  repeatable: z.boolean(),
  required: z.boolean(),
  first: z.boolean().meta(described('false: only --help=all shows it')),
  hidden: z.boolean().meta(described('no page shows it')),
})

export const commandLineSchema = z.strictObject({
  format: z.literal('sluice-command-line'),
  version: z.literal(1),
  tool: z.string().meta(described('version of the program')),
  commands: z.array(
    z.strictObject({
      name: z.string(),
      group: z.string(),
      summary: z.string(),
      usage: z.string(),
      positionals: z.array(positional),
      options: z.array(option),
      actions: z.array(
        z.strictObject({
          name: z.string().meta(described('what the first positional says')),
          withOption: text.meta(described('the option that makes another action of the same name of it')),
          summary: text,
          options: z.array(z.string()).meta(described('names of the options that the action takes')),
        }),
      ),
      examples: z.array(z.string()),
      notes: text,
    }),
  ),
  globalOptions: z.array(option).meta(described('options of every command')),
  exitCodes: z.array(z.strictObject({ code: z.number(), meaning: z.string() })),
})

type Schema = z.infer<typeof commandLineSchema>
/** Compiles only if the schema accepts every document, and the program fills every field of the schema. */
export const noCommandLineDrift: [CommandLineDocument, Schema] extends [
  Readonly<Deep<Schema>>,
  Deep<CommandLineDocument>,
]
  ? true
  : never = true

type Deep<T> = T extends readonly (infer E)[]
  ? readonly Deep<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Deep<T[K]> }
    : T

/** The JSON schema in docs/command-line.schema.json. */
export function commandLineJsonSchema(): string {
  const { $schema, ...rest } = z.toJSONSchema(commandLineSchema, { target: 'draft-2020-12' })
  return `${JSON.stringify({ $schema, title: 'The document of `sluice --help --json`', ...rest }, null, 2)}\n`
}
