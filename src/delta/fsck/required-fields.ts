/**
 * Finds actions of commits without what PROTOCOL.md requires. delta-spark reads them with a default, as sluice
 * does; readers on delta-kernel refuse the whole table.
 */
import { isObject, type JsonObject } from '../action-fields.ts'
import type { ActionKind } from '../actions.ts'
import type { Finding } from './finding.ts'
import { mappingFaults } from './mapped-columns.ts'

type Fault = { readonly kind: ActionKind; readonly what: string; readonly first: string; count: number }

const REQUIRED: Readonly<Partial<Record<ActionKind, readonly string[]>>> = {
  add: ['partitionValues', 'dataChange'],
  remove: ['dataChange'],
  metaData: ['format', 'schemaString', 'partitionColumns', 'configuration'],
  protocol: [],
}
const FLAG = /"dataChange"\s*:\s*(?:true|false)/
const VALUES = /"partitionValues"\s*:\s*\{/
const NO_WHOLE_TIME = /"deletionTimestamp"\s*:\s*(?!-?\d+\s*[,}]|null)/
/** From these versions on a protocol lists its features. */
const LISTED = { Reader: 3, Writer: 7 } as const

export class RequiredFields {
  #findings: readonly (Finding & { readonly of: ActionKind })[] = []
  readonly #commit = new Map<string, Fault>()
  /** Kinds of this commit of which readers use the newest action, and read none below it. */
  readonly #replaced = new Set<ActionKind>()

  get findings(): readonly Finding[] {
    return this.#findings.map(({ of: _, ...finding }) => finding)
  }

  /** @param raw the line of the action */
  take(kind: ActionKind, raw: string): void {
    const required = REQUIRED[kind]
    if (required === undefined || isWhole(kind, raw)) return
    if (kind === 'metaData' || kind === 'protocol') this.#replaced.add(kind)
    const action = (JSON.parse(raw) as Record<string, unknown>)[kind]
    if (!isObject(action)) return
    const faults = required.flatMap((name) => (action[name] == null ? [`${kind}.${name} is missing`] : []))
    const more = MORE[kind]?.(action) ?? []
    const path = typeof action['path'] === 'string' ? action['path'] : ''
    for (const what of [...faults, ...more]) {
      const known = this.#commit.get(what)
      if (known === undefined) this.#commit.set(what, { kind, what, first: path, count: 1 })
      else known.count++
    }
  }

  /** @param path of the commit's file @param decides true if readers of the checked version read this commit */
  endCommit(path: string, decides: boolean): void {
    if (this.#commit.size === 0 && this.#replaced.size === 0) return
    const level = decides ? 'finding' : 'note'
    const before = this.#findings.map((one) =>
      decides && this.#replaced.has(one.of) ? ({ ...one, level: 'note' } as const) : one,
    )
    const own = [...this.#commit.values()].map(({ kind: of, what, first, count }) => {
      const where = first === '' ? '' : count === 1 ? `, of ${first}` : `, of ${first} and ${count - 1} more`
      return { of, level, kind: 'action-fields', path, detail: `${what}${where}` } as const
    })
    this.#findings = [...before, ...own]
    this.#commit.clear()
    this.#replaced.clear()
  }
}

/** Of the many actions of files, without parsing: an escaped quote or a text cannot look like these. */
function isWhole(kind: ActionKind, raw: string): boolean {
  if (kind === 'add') return FLAG.test(raw) && VALUES.test(raw)
  return kind === 'remove' && FLAG.test(raw) && !NO_WHOLE_TIME.test(raw)
}

function ofProtocol(protocol: JsonObject): readonly string[] {
  return (['Reader', 'Writer'] as const).flatMap((side) => {
    const version = Number(protocol[`min${side}Version`])
    const features = `${side.toLowerCase()}Features`
    if (version < 1) return [`protocol.min${side}Version is ${version}`]
    return version >= LISTED[side] && protocol[features] == null
      ? [`protocol.${features} is missing, which min${side}Version ${version} requires`]
      : []
  })
}

function ofRemove({ deletionTimestamp: time }: JsonObject): readonly string[] {
  return time == null || Number.isInteger(time) ? [] : ['remove.deletionTimestamp is no whole number']
}

const MORE: Readonly<Partial<Record<ActionKind, (action: JsonObject) => readonly string[]>>> = {
  protocol: ofProtocol,
  remove: ofRemove,
  metaData: mappingFaults,
}
