/**
 * Random change batches, and a reference implementation of their result. It takes unchanged values from the rows before
 * the batch, then deletes the `gone` keys, then writes the `puts`. A row is an id, a text that may be unchanged, a
 * value that may have a secondary unique index, and a day.
 */
import fc from 'fast-check'
import type { ChangeBatch, ChangeRow, Put } from '../../src/model/copy/change.ts'
import type { Cell, Row } from '../../src/model/copy/rows.ts'

const KEYS = ['1', '2', '3', '4', '5', '6']

export type Model = Map<string, Row>

/** The rows after a batch. `lacking`: keys of puts whose base row is missing. */
export function reference(
  model: Model,
  { puts, gone }: ChangeBatch,
): { readonly after: Model; readonly lacking: readonly Row[] } {
  const after = new Map(model)
  const lacking: Row[] = []
  const whole: Row[] = []
  for (const { row, key, base } of puts) {
    const from = base === null ? null : model.get(String(base[0]))
    if (row.includes(undefined) && from === undefined) lacking.push(key)
    else whole.push(row.map((cell, at): Cell => (cell === undefined ? (from?.[at] ?? null) : cell)))
  }
  for (const [key] of gone) after.delete(String(key))
  for (const row of whole) after.set(String(row[0]), row)
  return { after, lacking }
}

/** A batch that a source could send: each key once, and no two rows with the same unique value afterwards. */
export const batches = fc.array(
  fc.record({
    key: fc.constantFrom(...KEYS),
    kind: fc.constantFrom('put', 'put', 'gone', 'same', 'moved'),
    base: fc.constantFrom(...KEYS),
    text: fc.option(fc.constantFrom('x', 'long '.repeat(2000), "'\\"), { nil: null }),
    month: fc.constantFrom('2024-01-05', '2024-03-07'),
  }),
  { minLength: 1, maxLength: 6 },
)

type Options = Readonly<{ key: string; kind: string; base: string; text: string | null; month: string }>

export function batchOf(options: readonly Options[], shift: number): ChangeBatch {
  const once = [...new Map(options.map((request) => [request.key, request])).values()]
  const gone = once.filter(({ kind }) => kind === 'gone').map(({ key }): Row => [key])
  const puts = once
    .filter(({ kind }) => kind !== 'gone')
    .map(({ key, kind, base, text, month }): Put => {
      // Rotates the values, so that rows take values that other rows had.
      const u = String((Number(key) + shift) % KEYS.length)
      const partial = kind === 'same' || kind === 'moved'
      const row: ChangeRow = [key, partial ? undefined : text, u, month]
      return { row, key: [key], base: kind === 'same' ? [key] : kind === 'moved' ? [base] : null }
    })
  return { puts, gone }
}

/** The same batch as single statements, as an application would write them. */
export function rowByRow(table: string, before: Model, batch: ChangeBatch): readonly string[] {
  const { after, lacking } = reference(before, batch)
  const written = batch.puts.map(({ key }) => key).filter((key) => !lacking.includes(key))
  const removals = [...batch.gone, ...written].map(([key]) => `DELETE FROM ${table} WHERE id = ${String(key)}`)
  const insertions = written.map(([key]) => {
    const values = after
      .get(String(key))
      ?.map((cell) => (cell === null ? 'NULL' : `'${String(cell).replaceAll("'", "''")}'`))
    return `INSERT INTO ${table} (id, a, u, at) VALUES (${values?.join(', ')})`
  })
  return [...removals, ...insertions]
}

export function isUnique(model: Model): boolean {
  const values = [...model.values()].map((row) => row[2])
  return new Set(values).size === values.length
}

/** The first shift of the values, from `from` on, after which they are unique; `from` if no shift does. */
export function uniqueShift(model: Model, options: readonly Options[], from: number): number {
  for (let shift = from; shift < from + KEYS.length; shift++) {
    if (isUnique(reference(model, batchOf(options, shift)).after)) return shift
  }
  return from
}
