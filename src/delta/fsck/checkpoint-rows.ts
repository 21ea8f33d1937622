/**
 * Checks rows of a checkpoint against each other: files with several rows, and structs that contradict the texts that
 * they repeat.
 */
import { eachScalar, jsonMemberText } from '../../model/lake/json-tokens.ts'
import type { AddAction, RemoveAction } from '../actions.ts'
import { canonicalPath, dvId } from '../paths.ts'
import { fileKey } from '../replay.ts'
import { leafColumns, type StructType } from '../schema.ts'
import { jsonStringText } from '../stats.ts'
import { partitionDifferences, statsComparer, type DifferentValues, type StatsComparer } from '../values/same.ts'
import { kindOf } from '../values/typed.ts'
import type { Finding } from './finding.ts'

export class CheckedCheckpointRows {
  readonly #version: number
  readonly #root: string
  readonly #schema: StructType
  readonly #stats: StatsComparer
  readonly #seen = new Set<string>()

  /** @param root URI of the table */
  constructor(version: number, root: string, schema: StructType) {
    this.#version = version
    this.#root = root
    this.#schema = schema
    this.#stats = statsComparer(leafColumns(schema))
  }

  /** Reports a second row of a file. A checkpoint has one row per file, so adds and removes share one set of keys. */
  row(file: AddAction | RemoveAction): readonly Finding[] {
    const key = fileKey(canonicalPath(file.path, this.#root), dvId(file.deletionVector))
    if (!this.#seen.has(key)) {
      this.#seen.add(key)
      return []
    }
    const detail = `checkpoint ${this.#version} has two rows of this file`
    return [{ level: 'finding', kind: 'checkpoint-twice', path: file.path, detail }]
  }

  /**
   * Compares the structs of an add with the texts that they repeat.
   * @param add its structs are JSON texts, or objects parsed from `raw`
   * @param raw text of the line, which has all digits of the numbers
   */
  structsOf(add: AddAction, raw: string): readonly Finding[] {
    const { path, stats, partitionValues } = add
    const apart: DifferentValues[] = []
    const parsedStats = structText(add, 'stats_parsed', raw)
    const parsedValues = structText(add, 'partitionValues_parsed', raw)
    if (parsedStats !== null && stats != null) apart.push(...(this.#stats(stats, parsedStats) ?? []))
    if (parsedValues !== null) {
      const parsed = valuesOf(parsedValues)
      // Writers differ in how they store bytes in a struct, so binary columns are not compared.
      const judged = this.#schema.fields.filter(
        ({ physicalName, type }) => Object.hasOwn(partitionValues ?? {}, physicalName) && kindOf(type) !== 'binary',
      )
      const mapOf = (value: (name: string) => string | null) =>
        Object.fromEntries(judged.map(({ physicalName: name }) => [name, value(name)]))
      const [texts, values] = [
        (name: string) => partitionValues?.[name] ?? null,
        (name: string) => parsed.get(name) ?? null,
      ]
      apart.push(...partitionDifferences(judged, mapOf(texts), mapOf(values)))
    }
    const [first] = apart
    if (first === undefined) return []
    const { column, what, one, other } = first
    const more = apart.length === 1 ? '' : `, and ${apart.length - 1} more`
    const detail = `checkpoint ${this.#version} stores ${what} twice, with different values: ${one} in the text, ${other} in the struct${more}`
    const where = column === '' ? {} : { column }
    return [{ level: 'finding', kind: 'checkpoint-structs', path, ...where, log: one, found: other, detail }]
  }
}

/** Statistics of a file as text, from the struct if the row has no text; null if it has neither. */
export function statsText(add: AddAction, raw: string): string | null {
  return add.stats ?? structText(add, 'stats_parsed', raw)
}

/** A struct as JSON text; null if the row has none. */
function structText(add: AddAction, name: 'stats_parsed' | 'partitionValues_parsed', raw: string): string | null {
  const struct = add[name]
  if (typeof struct === 'string') return struct
  return typeof struct === 'object' && struct !== null ? jsonMemberText(raw, ['add', name]) : null
}

/** Scalars of a flat JSON object as plain text. */
function valuesOf(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  eachScalar(text, ([name], token) => {
    if (typeof name === 'string' && token !== 'null') values.set(name, jsonStringText(token) ?? token)
  })
  return values
}
