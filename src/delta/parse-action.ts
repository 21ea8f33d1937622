/** Parses one line of a log as an action and checks the fields that sluice uses. All other fields pass unchecked. */
import type { FileActionFields, LogAction, TxnAction } from './actions.ts'
import { eachScalar, jsonTokens } from '../model/lake/json-tokens.ts'
import { duplicateName, MOST_NESTED_IN_LOG, countNames } from './duplicate-names.ts'
import { textWithLoneSurrogate } from './lone-surrogates.ts'
import { Fields, bad, isObject, shortText, type JsonObject, type WhereText } from './action-fields.ts'

/** `partial`: the checkpoint was read with few columns, so other fields may be absent. */
export type ParseMode = 'whole' | 'partial'

function fileFields(fields: Fields): asserts fields is Fields<FileActionFields> {
  fields.text('path')
  fields.mapOrNull('partitionValues')
  fields.mapOrNull('tags')
  fields.textOrNull('stats')
  fields.deletionVector('deletionVector')
  fields.integerOrNull('baseRowId')
  fields.integerOrNull('defaultRowCommitVersion')
}

/** The exact text of a `txn.version` that a double cannot represent. */
function exactVersion(raw: string, where: WhereText): string {
  const digits = memberText(raw, ['txn', 'version'])
  // Check the length before parsing: a number of millions of digits would take minutes.
  if (digits === null || !/^-?\d{1,19}$/.test(digits) || BigInt.asIntN(64, BigInt(digits)) !== BigInt(digits)) {
    throw bad('txn.version should be a 64-bit whole number', where)
  }
  return BigInt(digits).toString()
}

/** The source text of a member of nested objects in valid JSON, or null. */
function memberText(raw: string, wanted: readonly string[]): string | null {
  let found: string | null = null
  eachScalar(raw, (path, token) => {
    if (path.length === wanted.length && wanted.every((name, i) => path[i] === name)) found = token
  })
  return found
}

function txnOf(fields: Fields, raw: string, where: WhereText): TxnAction {
  fields.text('appId')
  const version = fields.of['version']
  if (typeof version !== 'number') throw bad(`txn.version should be a whole number, is ${shortText(version)}`, where)
  fields.time('lastUpdated')
  const exact = Number.isSafeInteger(version) ? String(version) : exactVersion(raw, where)
  // JSON.parse keeps -0; a version has only one zero.
  return Object.assign(fields.of, { version: exact === '-0' ? '0' : exact })
}

const EMPTY_SCHEMA = '{"type":"struct","fields":[]}'

function checked(kind: string, value: JsonObject, raw: string, where: WhereText, mode: ParseMode): LogAction {
  const fields: Fields = Fields.in(kind, value, where)
  switch (kind) {
    case 'add':
      fileFields(fields)
      if (mode === 'partial' && value['modificationTime'] === undefined) value['modificationTime'] = 0
      fields.count('size')
      fields.integer('modificationTime')
      fields.flag('dataChange', true)
      fields.textOrNull('clusteringProvider')
      return { kind, add: fields.of }
    case 'remove':
      fileFields(fields)
      fields.countOrNull('size')
      fields.time('deletionTimestamp')
      fields.flagOrNull('dataChange')
      fields.flagOrNull('extendedFileMetadata')
      return { kind, remove: fields.of }
    case 'metaData':
      fields.text('id')
      fields.textOrNull('name')
      fields.textOrNull('description')
      // Spark reads a missing schema as an empty one, and its own tests write such tables.
      value['schemaString'] ??= EMPTY_SCHEMA
      fields.text('schemaString')
      fields.textsOrNull('partitionColumns')
      fields.mapOrNull('configuration')
      fields.format('format')
      fields.time('createdTime')
      return { kind, metaData: fields.of }
    case 'protocol':
      fields.integer('minReaderVersion')
      fields.integer('minWriterVersion')
      fields.textsOrNull('readerFeatures')
      fields.textsOrNull('writerFeatures')
      return { kind, protocol: fields.of }
    case 'txn':
      return { kind, txn: txnOf(fields, raw, where) }
    case 'domainMetadata':
      fields.text('domain')
      fields.flag('removed', false)
      if (value['removed'] === true && value['configuration'] === undefined) value['configuration'] = ''
      fields.text('configuration')
      return { kind, domainMetadata: fields.of }
    case 'cdc':
      fields.text('path')
      fields.mapOrNull('partitionValues')
      fields.count('size')
      return { kind, cdc: fields.of }
    case 'sidecar':
      fields.text('path')
      fields.count('sizeInBytes')
      fields.time('modificationTime')
      return { kind, sidecar: fields.of }
    case 'checkpointMetadata':
      fields.count('version')
      return { kind, checkpointMetadata: fields.of }
    default:
      return { kind: 'commitInfo', commitInfo: value }
  }
}

/** Names of the actions that sluice reads. A line with a non-null member of such a name is this action. */
export const KINDS: ReadonlySet<string> = new Set([
  'add',
  'remove',
  'metaData',
  'protocol',
  'txn',
  'domainMetadata',
  'cdc',
  'commitInfo',
  'sidecar',
  'checkpointMetadata',
])

/** The first name in the text; `Object.keys` would list whole-number names first. */
function firstName(raw: string): string {
  const [, name] = jsonTokens(raw)
  return name?.startsWith('"') === true ? (JSON.parse(name) as string) : ''
}

/**
 * Parses one line as an action. Checks only the fields that sluice uses; unknown fields and unknown actions pass.
 * @param raw one JSON object
 * @param where `file:line` for messages; called only for an error
 * @throws SluiceError BAD_ACTION naming the field
 */
export function parseAction(raw: string, where: () => string, mode: ParseMode = 'whole'): LogAction {
  let parsed: unknown
  try {
    parsed = JSON.parse(raw)
  } catch (error) {
    throw bad(`not valid JSON (${error instanceof Error ? error.message : String(error)})`, where, error)
  }
  const names = countNames(parsed)
  // Must come first: recursive functions would overflow the stack on such a value.
  if (Number.isNaN(names)) throw bad(`nested more than ${MOST_NESTED_IN_LOG} deep`, where)
  if (!isObject(parsed)) throw bad(`should be a JSON object, is ${shortText(parsed)}`, where)
  const doubled = duplicateName(raw, names)
  if (doubled !== null) throw bad(`the name ${shortText(doubled)} occurs twice in one object`, where)
  const half = textWithLoneSurrogate(raw, parsed)
  if (half !== null) throw bad(`the text ${shortText(half)} contains an unpaired surrogate`, where)
  let kind: string | null = null
  for (const key in parsed) {
    // Some writers write all kinds and set all but one to null.
    if (!KINDS.has(key) || parsed[key] === null) continue
    if (kind !== null) throw bad(`two actions on one line: ${kind} and ${key}`, where)
    kind = key
  }
  if (kind === null) return { kind: 'unknown', name: firstName(raw) }
  const value = parsed[kind]
  if (!isObject(value)) throw bad(`${kind} should be an object, is ${shortText(value)}`, where)
  return checked(kind, value, raw, where, mode)
}
