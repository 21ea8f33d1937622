/** The document of `sluice sign-off` as a zod schema: what docs/sign-off.schema.json is made from, and what the tests hold documents against. */
import { z } from 'zod'
import type { SignOff } from '../../src/model/follow/sign-off.ts'

const dec = z
  .string()
  .regex(/^-?\d+$/)
  .meta({ description: 'decimal integer as text' })
const ms = z.number().min(0)
const time = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/)
const verdict = z.enum(['given', 'refused'])
const side = z.strictObject({ url: z.string(), system: z.string(), identity: z.string() })

export const historySchema = z.strictObject({
  stream: z.string(),
  status: z.string(),
  begunAt: time,
  endedAt: time.nullable(),
  position: z.string().nullable(),
  transactions: dec,
  committedAt: time.nullable(),
  tables: z.array(
    z.strictObject({
      table: z.string(),
      state: z.string(),
      inserts: dec,
      updates: dec,
      deletes: dec,
      truncates: dec,
      mended: dec,
      undone: dec,
    }),
  ),
  proofs: z.array(
    z.strictObject({
      table: z.string(),
      run: dec,
      at: time,
      position: z.string(),
      rows: dec,
      targetRows: dec,
      differing: dec,
      unread: dec,
      pauseMs: ms,
      ms,
    }),
  ),
  faults: z.array(
    z.strictObject({ code: z.string(), tables: z.array(z.string()), message: z.string(), since: z.string() }),
  ),
  signOffs: z.array(
    z.strictObject({ id: z.string(), at: time, by: z.string(), verdict, position: z.string().nullable() }),
  ),
})

export const signOffSchema = z.strictObject({
  format: z.literal('sluice-sign-off'),
  version: z.literal(1),
  id: z.string(),
  verdict,
  reasons: z.array(z.string()),
  at: time,
  by: z.string(),
  user: z.string(),
  host: z.string(),
  tool: z.string(),
  run: dec,
  source: side,
  target: side,
  compared: z
    .strictObject({
      position: z.string(),
      begunAt: time,
      endedAt: time,
      pauseMs: ms,
      run: dec,
      tables: z.array(
        z.strictObject({
          table: z.string(),
          target: z.string(),
          partition: z.string().optional(),
          rows: dec,
          targetRows: dec,
          sourceSum: z.string().nullable(),
          targetSum: z.string().nullable(),
          differing: dec,
          unread: dec,
          equal: z.boolean(),
          ms,
        }),
      ),
    })
    .nullable(),
  others: z.array(z.string()),
  checks: z.array(
    z.strictObject({
      check: z.string(),
      table: z.string().optional(),
      outcome: z.enum(['ok', 'failed', 'not checked']),
      found: z.string(),
      hint: z.string().optional(),
    }),
  ),
  history: historySchema,
  leftBehind: z.array(
    z.strictObject({ kind: z.string(), table: z.string().optional(), names: z.array(z.string()), means: z.string() }),
  ),
})

/** Compiles only while the document and its schema name the same fields. */
type Named = keyof z.infer<typeof signOffSchema>
export const noSignOffDrift: [Exclude<Named, keyof SignOff>, Exclude<keyof SignOff, Named>] extends [never, never]
  ? true
  : never = true

/** The JSON schema that docs/sign-off.schema.json holds. */
export function signOffJsonSchema(): string {
  const { $schema, ...rest } = z.toJSONSchema(signOffSchema, { target: 'draft-2020-12' })
  return `${JSON.stringify({ $schema, title: 'The document of `sluice sign-off --report FILE.json`', ...rest }, null, 2)}\n`
}
