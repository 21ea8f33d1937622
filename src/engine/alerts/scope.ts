/** What an alert of an operation is about, as the memory of alerts and people are told it. No password is in it. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { redactUrl } from '../../shared/redact.ts'
import { workingFolder } from '../../shared/working-folder.ts'
import type { StoreFamily } from '../operations/declaration.ts'
import { commandNameOf, declarationOf, storesOf, subjectsOf } from '../operations/facts.ts'
import type { Operation } from '../operations/list.ts'
import { systemOf } from '../systems.ts'

const PATHS: ReadonlySet<StoreFamily> = new Set(['lake', 'table', 'folder'])
const IS_URL = /^[a-z][a-z0-9+]+:/i

/**
 * What is looked at, and how: runs of one scope find the same. What a run with other options finds, such as `--deep`, only such a run ends.
 * @param ofRun of causes of the whole run: what it is about belongs to it; else the table of the alert says that
 */
export function alertScope(operation: Operation, ofRun: boolean): string {
  const { alerts, about } = declarationOf(operation.kind)
  const fields = new Map<string, unknown>(Object.entries(operation))
  const subjects = [about ?? []].flat()
  const stores = storesOf(operation)
    .filter(({ field }) => !subjects.includes(field))
    .map(({ name, family }) => (PATHS.has(family) ? pathKey(name) : placeOf(name, family)))
  const how = (alerts?.by ?? []).flatMap((field) => {
    const value = fields.get(field)
    return value === undefined || value === false ? [] : [`${field}=${JSON.stringify(value)}`]
  })
  const named = ofRun ? subjectsOf(operation).map((name) => subjectKey(operation, name)) : []
  return JSON.stringify([operation.kind, ...stores, ...how, ...named])
}

/** A table that is a path means another one in another folder. */
export function subjectPlace(operation: Operation, name: string): string {
  const family = familyOf(operation)
  return family === null || name === '' ? name : placeOf(name, family)
}

/**
 * What names the table of an alert from run to run: the same while its folder is away. A name that was typed counts from this folder, be it a path or an
 * id; any other one without a slash is an id.
 */
export function subjectKey(operation: Operation, name: string): string {
  const family = familyOf(operation)
  if (family === null || !PATHS.has(family) || name === '') return subjectPlace(operation, name)
  return /[/\\]/.test(name) || subjectsOf(operation).includes(name) ? pathKey(name) : name
}

/** Of what the operation is about; null where that is no store. */
function familyOf(operation: Operation): StoreFamily | null {
  const { about, stores } = declarationOf(operation.kind)
  const subjects = [about ?? []].flat()
  return stores.find(({ field }) => subjects.includes(field))?.family ?? null
}

function pathKey(name: string): string {
  return IS_URL.test(name) ? redactUrl(name) : resolve(workingFolder() ?? '', name)
}

/** The run in words, for whoever does not know its folder: `fsck /data/lake/orders sqlite:///c.db`. */
export function aboutInWords(operation: Operation): string {
  const subjects = subjectsOf(operation).map((name) => subjectPlace(operation, redactUrl(name)))
  const { about } = declarationOf(operation.kind)
  const action = actionOf(operation)
  const others = storesOf(operation).filter(({ end, field }) => end !== undefined && ![about].flat().includes(field))
  const ends = [...new Set(others.map(({ name, family }) => placeOf(name, family)))]
  const words = [action ?? commandNameOf(operation.kind), subjects.join(', '), ends.join(' -> ')]
  return words.filter((word) => word !== '').join(' ')
}

function placeOf(name: string, family: StoreFamily): string {
  const folder = workingFolder() ?? ''
  if (PATHS.has(family)) {
    // What is no path is the id of a table in the catalog, which means the same everywhere.
    const isPath = !IS_URL.test(name) && (/[/\\]/.test(name) || existsSync(resolve(folder, name)))
    return isPath ? resolve(folder, name) : redactUrl(name)
  }
  // `sqlite:///c.db` counts from this folder, `sqlite:////data/c.db` from the root.
  const isRelative = systemOf(name)?.file !== undefined && !name.includes(':////')
  return `${redactUrl(name)}${isRelative ? ` in ${folder}` : ''}`
}

/** `archive run`; null of a command without actions. */
function actionOf(operation: Operation): string | null {
  const fields = new Map<string, unknown>(Object.entries(operation))
  const saysSo = (words: object): boolean =>
    Object.entries(words).every(([field, word]) => !isConstant(word) || word.value === fields.get(field))
  const said = Object.entries(declarationOf(operation.kind).actions ?? {}).filter(([, words]) => saysSo(words))
  // `archive release` says for itself what `archive hold` is told; of `archive plan` and `archive run` the last one works.
  return said.at(-1)?.[0].split(' ').slice(0, 2).join(' ') ?? null
}

function isConstant(word: unknown): word is { readonly value: unknown } {
  return typeof word === 'object' && word !== null && 'as' in word && word.as === 'constant' && 'value' in word
}
