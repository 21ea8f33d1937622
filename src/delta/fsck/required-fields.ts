/**
 * Finds actions of commits whose required fields are missing or wrong (PROTOCOL.md). delta-spark and sluice use a
 * default for a missing field. Readers on delta-kernel refuse the whole table.
 */
import { isObject, type JsonObject } from '../action-fields.ts'
import type { ActionKind } from '../actions.ts'
import type { Finding } from './finding.ts'

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
/** Protocol versions from which a protocol lists its features. */
const LISTED = { Reader: 3, Writer: 7 } as const

export class RequiredFields {
  #findings: readonly (Finding & { readonly of: ActionKind })[] = []
  readonly #commit = new Map<string, Fault>()
  /** `metaData` and `protocol`, if this commit has them: readers use only the newest action of these kinds. */
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

/**
 * True if an add or a remove has its required fields, decided without parsing. The patterns cannot match inside a JSON
 * string.
 */
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
  return time == null || Number.isInteger(time) ? [] : ['remove.deletionTimestamp is not a whole number']
}

const MORE: Readonly<Partial<Record<ActionKind, (action: JsonObject) => readonly string[]>>> = {
  protocol: ofProtocol,
  remove: ofRemove,
  metaData: mappingFaults,
}

const ID = 'delta.columnMapping.id'
const PHYSICAL = 'delta.columnMapping.physicalName'

/**
 * Checks that each field of a mapped schema has its own id and physical name (PROTOCOL.md, "Column Mapping").
 * @param metadata of a commit, as it is written @returns faults; empty if columns are not mapped
 */
function mappingFaults({ schemaString, configuration }: JsonObject): readonly string[] {
  const mode = isObject(configuration) ? configuration['delta.columnMapping.mode'] : undefined
  if ((mode !== 'name' && mode !== 'id') || typeof schemaString !== 'string') return []
  const ids = new Map<unknown, string>()
  const faults: string[] = []
  const visit = (type: unknown, place: string): void => {
    if (!isObject(type)) return
    visit(type['elementType'], `${place}.element`)
    visit(type['keyType'], `${place}.key`)
    visit(type['valueType'], `${place}.value`)
    const names = new Map<unknown, string>()
    for (const field of Array.isArray(type['fields']) ? type['fields'].filter(isObject) : []) {
      const path = `${place}.${String(field['name'])}`.replace(/^\./, '')
      const mapped = isObject(field['metadata']) ? field['metadata'] : {}
      for (const [key, known] of [[ID, ids] as const, [PHYSICAL, names] as const]) {
        const value = mapped[key]
        const other = known.get(value)
        if (value === undefined || value === null) faults.push(`column ${path} has no ${key}`)
        else if (other === undefined) known.set(value, path)
        else faults.push(`columns ${other} and ${path} have the same ${key}`)
      }
      visit(field['type'], path)
    }
  }
  visit(JSON.parse(schemaString), '')
  return faults
}
