/** Identity and text of an alert's subject, for the memory and for users. Contains no password. */
import { existsSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import type { AlertKey } from '../../model/run/alert.ts'
import { redactUrl } from '../../shared/redact.ts'
import { workingFolder } from '../../shared/working-folder.ts'
import type { StoreFamily } from '../../engine/run/operations/declaration.ts'
import { commandNameOf, declarationOf, storesOf, subjectFieldsOf, subjectsOf } from '../operations/facts.ts'
import type { Operation } from '../operations/list.ts'
import { systemOf } from '../../engine/run/systems.ts'

const PATHS: ReadonlySet<StoreFamily> = new Set(['lake', 'table', 'folder'])
const IS_URL = /^[a-z][a-z0-9+]+:/i

/**
 * Fields that affect only how a run works or reacts: runs that differ only in these have the same subject. All other
 * fields, also of later versions, distinguish alerts.
 */
const BEHAVIOUR_FIELDS: ReadonlySet<string> = new Set(
  `kind alert dryRun confirm verbose seed limit count report checkpoint track script
   workers lanes parallel rate chunkRows batchRows batchSize fileBytes memoryBytes waitMs patienceMs budgetMs triesForMs graceMs windowMs intervalMs watch
   resume restart resync moved cdmLines proveEveryMs untilCaughtUp untilEqual changesOnly quiesce
   accept acceptLossy acceptAllLossy acceptDifference allowRefused asText widen exact renamed dropped asChanged without decimal epoch onExisting noLook maxAside
   fix deleteExtra fixOnly fixCounters overwriteNewer againWhenDone unsigned keepSessions stay onSwitch checkFiles entries`.split(
    /\s+/,
  ),
)
/**
 * Fields like those of `BEHAVIOUR_FIELDS`, for one cause only: a complete `fsck` clears an alert that was raised for a
 * sample.
 */
const CAUSE_BEHAVIOUR_FIELDS: Partial<Readonly<Record<AlertKey['cause'], readonly string[]>>> = { fsck: ['sample'] }
/** Fields like those of `BEHAVIOUR_FIELDS`, inside a field that is an object. */
const NESTED_BEHAVIOUR_FIELDS: Readonly<Record<string, readonly string[]>> = { ring: ['splits'] }

/**
 * Identity of an alert across runs. The scope contains what is inspected and how: runs with the same scope have the
 * same findings. An alert of a run with options such as `--deep` or `--to-table` is cleared only by a run with the same
 * options. Without a table, the scope names the subject of the whole run.
 * @param isQueued true for an operation as queued: the folder of this program does not apply
 */
export function alertKey(operation: Operation, cause: AlertKey['cause'], table: string, isQueued: boolean): AlertKey {
  const { stores: places, alerts } = declarationOf(operation.kind)
  const subjects = subjectFieldsOf(operation.kind)
  const own = [...(alerts?.how ?? []), ...(CAUSE_BEHAVIOUR_FIELDS[cause] ?? [])]
  const left = new Set([...BEHAVIOUR_FIELDS, ...own, ...places.map(({ field }) => field), ...subjects])
  const stores = storesOf(operation)
    .filter(({ field }) => !subjects.includes(field))
    .map(({ name, family }) => (PATHS.has(family) ? pathKey(name, isQueued) : placeOf(name, family)))
  const how = Object.entries(operation)
    .filter(([field]) => !left.has(field))
    .map(([field, value]) => [field, without(NESTED_BEHAVIOUR_FIELDS[field] ?? [], value)] as const)
    .filter(([, value]) => isGiven(value))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([field, value]) => `${field}=${fieldText(field, value)}`)
  const subjectOf = (name: string): string => subjectKey(operation, name, isQueued)
  const whole = table === '' ? subjectsOf(operation).map(subjectOf) : []
  // The number distinguishes these keys from older ones, which different runs could share.
  const scope = JSON.stringify([2, operation.kind, ...stores, ...how, ...whole])
  return { scope, cause, table: subjectOf(table) }
}

/** The key in versions up to 2026-11, from the fields of `alerts.by` only: active alerts may be stored under it. */
export function alertKeyBefore(operation: Operation, cause: AlertKey['cause'], table: string): AlertKey {
  const { alerts } = declarationOf(operation.kind)
  const subjects = subjectFieldsOf(operation.kind)
  const fields = new Map<string, unknown>(Object.entries(operation))
  const stores = storesOf(operation)
    .filter(({ field }) => !subjects.includes(field))
    .map(({ name, family }) => placeOf(name, family))
  const how = (alerts?.by ?? []).flatMap((field) => {
    const value = fields.get(field)
    return value === undefined || value === false ? [] : [`${field}=${JSON.stringify(value)}`]
  })
  const whole = table === '' ? subjectsOf(operation).map((name) => namedPlace(operation, name)) : []
  const scope = JSON.stringify([operation.kind, ...stores, ...how, ...whole])
  return { scope, cause, table: namedPlace(operation, table) }
}

function without(fields: readonly string[], value: unknown): unknown {
  if (fields.length === 0 || typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).filter(([field]) => !fields.includes(field)))
}

function isGiven(value: unknown): boolean {
  if (value === undefined || value === null || value === false) return false
  return typeof value !== 'object' || Object.keys(value).length > 0
}

/** Value of a field as text. Of `follow`, only its presence matters: the limits and alerts of a stream are ignored. */
function fieldText(field: string, value: unknown): string {
  if (field === 'follow') return 'true'
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'string' ? redactUrl(part) : part))
}

/**
 * A table's name for users. Paths are made absolute: a relative path means a different table in each folder. That of a
 * table which the command does not name begins at its lake.
 */
export function subjectPlace(operation: Operation, name: string): string {
  const family = familyOf(operation)
  const [lake, ...more] = subjectsOf(operation)
  const isRelative = /[/\\]/.test(name) && !isAbsolute(name) && !IS_URL.test(name)
  const isInside = family !== null && PATHS.has(family) && more.length === 0 && name !== lake
  if (lake === undefined || !isRelative || !isInside) return namedPlace(operation, name)
  return IS_URL.test(lake)
    ? `${redactUrl(lake).replace(/\/$/, '')}/${name}`
    : resolve(workingFolder() ?? '', lake, name)
}

/** A name as the command gives it; paths are made absolute from the current folder. */
function namedPlace(operation: Operation, name: string): string {
  const family = familyOf(operation)
  return family === null || name === '' ? name : placeOf(name, family)
}

/**
 * Identity of an alert's table across runs, stable while its folder is unavailable. A name with a slash is a path. A
 * name without a slash is a path only if the command names this table and has no catalog; otherwise it is a table id.
 */
function subjectKey(operation: Operation, name: string, isQueued: boolean): string {
  const family = familyOf(operation)
  if (family === null || !PATHS.has(family) || name === '') return subjectPlace(operation, name)
  const mayBeId = storesOf(operation).some((store) => store.family === 'catalog')
  const isPath = /[/\\]/.test(name) || (!mayBeId && subjectsOf(operation).includes(name))
  return isPath ? pathKey(name, isQueued) : name
}

/** Family of the operation's subject; null if that is not a store. */
function familyOf(operation: Operation): StoreFamily | null {
  const subjects = subjectFieldsOf(operation.kind)
  return declarationOf(operation.kind).stores.find(({ field }) => subjects.includes(field))?.family ?? null
}

/** Absolute path of a table, or its URL. Paths of a queued operation are absolute; its other names are ids. */
function pathKey(name: string, isQueued: boolean): string {
  if (IS_URL.test(name)) return redactUrl(name)
  return isQueued ? name : resolve(workingFolder() ?? '', name)
}

/** The run as text, independent of its folder: `fsck /data/lake/orders sqlite:///c.db`. */
export function operationText(operation: Operation): string {
  const subjects = subjectsOf(operation).map((name) => subjectPlace(operation, redactUrl(name)))
  const fields = subjectFieldsOf(operation.kind)
  const action = actionOf(operation)
  const others = storesOf(operation).filter(({ end, field }) => end !== undefined && !fields.includes(field))
  const ends = [...new Set(others.map(({ name, family }) => placeOf(name, family)))]
  const words = [action ?? commandNameOf(operation.kind), subjects.join(', '), ends.join(' -> ')]
  return words.filter((word) => word !== '').join(' ')
}

function placeOf(name: string, family: StoreFamily): string {
  const folder = workingFolder() ?? ''
  if (PATHS.has(family)) {
    // A name that is not a path is the id of a table in the catalog, which does not depend on the folder.
    const isPath = !IS_URL.test(name) && (/[/\\]/.test(name) || existsSync(resolve(folder, name)))
    return isPath ? resolve(folder, name) : redactUrl(name)
  }
  // `sqlite:///c.db` is relative to this folder, `sqlite:////data/c.db` is absolute.
  const isRelative = systemOf(name)?.file !== undefined && !name.includes(':////')
  return `${redactUrl(name)}${isRelative ? ` in ${folder}` : ''}`
}

/** Command and action, such as `archive run`; null for a command without actions. */
function actionOf(operation: Operation): string | null {
  const fields = new Map<string, unknown>(Object.entries(operation))
  const saysSo = (words: object): boolean =>
    Object.entries(words).every(([field, word]) => !isConstant(word) || word.value === fields.get(field))
  const said = Object.entries(declarationOf(operation.kind).actions ?? {}).filter(([, words]) => saysSo(words))
  // `archive release` and `archive hold` share fields, as do `archive plan` and `archive run`: the last match is right.
  return said.at(-1)?.[0].split(' ').slice(0, 2).join(' ') ?? null
}

function isConstant(word: unknown): word is { readonly value: unknown } {
  return typeof word === 'object' && word !== null && 'as' in word && word.as === 'constant' && 'value' in word
}
