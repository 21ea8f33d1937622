/** One line of a log as an action: JSON, and a check of the fields that sluice reckons with. Everything else passes unread. */
import { SluiceError } from '../shared/errors.ts'
import type { Action, AddAction, CdcAction, DomainMetadataAction, MetadataAction, ProtocolAction } from './actions.ts'
import type { CheckpointMetadataAction, RemoveAction, SidecarAction, TxnAction } from './actions.ts'

type Json = Record<string, unknown>
type Where = () => string

/**
 * How much of a file action is there: `partial` is for checkpoints read with few columns, where what was not asked for is no mistake.
 */
export type ParseMode = 'whole' | 'partial'

function bad(message: string, where: Where, cause?: unknown): SluiceError {
  const at = where()
  return new SluiceError('BAD_ACTION', `${at}: ${message}`, {
    where: at,
    reason: 'the line is no action that a Delta log may hold',
    hint: 'restore the file from a copy; sluice never skips a line it cannot read',
    ...(cause === undefined ? {} : { cause }),
  })
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `value` for messages, cut short. */
function shown(value: unknown): string {
  if (value === undefined) return 'missing'
  const text = JSON.stringify(value) ?? typeof value
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}

/** The fields of one action, read one by one so that a message can name the one that is wrong. */
class Fields {
  readonly kind: string
  readonly of: Json
  readonly #where: Where

  constructor(kind: string, of: Json, where: Where) {
    this.kind = kind
    this.of = of
    this.#where = where
  }

  #bad(field: string, expected: string): SluiceError {
    return bad(`${this.kind}.${field} should be ${expected}, is ${shown(this.of[field])}`, this.#where)
  }

  text(field: string): void {
    if (typeof this.of[field] !== 'string') throw this.#bad(field, 'text')
  }

  textOrNull(field: string): void {
    const value = this.of[field]
    if (value !== undefined && value !== null && typeof value !== 'string') throw this.#bad(field, 'text')
  }

  count(field: string): void {
    const value = this.of[field]
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
      throw this.#bad(field, 'a whole number from 0 to 2^53')
    }
  }

  countOrNull(field: string): void {
    if (this.of[field] !== undefined && this.of[field] !== null) this.count(field)
  }

  integer(field: string): void {
    if (!Number.isSafeInteger(this.of[field])) throw this.#bad(field, 'a whole number within 2^53')
  }

  integerOrNull(field: string): void {
    if (this.of[field] !== undefined && this.of[field] !== null) this.integer(field)
  }

  /** A time that is only shown: what cannot be one is taken for not given. */
  time(field: string): void {
    if (this.of[field] !== undefined && !Number.isSafeInteger(this.of[field])) this.of[field] = null
  }

  flag(field: string, absent: boolean): void {
    const value = this.of[field]
    if (value === undefined || value === null) this.of[field] = absent
    else if (typeof value !== 'boolean') throw this.#bad(field, 'true or false')
  }

  flagOrNull(field: string): void {
    const value = this.of[field]
    if (value !== undefined && value !== null && typeof value !== 'boolean') throw this.#bad(field, 'true or false')
  }

  textsOrNull(field: string): void {
    const value = this.of[field]
    if (value === undefined || value === null) return
    if (!Array.isArray(value) || value.some((one) => typeof one !== 'string')) throw this.#bad(field, 'a list of texts')
  }

  /** An object whose values are text or null. */
  mapOrNull(field: string): void {
    const value = this.of[field]
    if (value === undefined || value === null) return
    if (!isObject(value)) throw this.#bad(field, 'an object')
    for (const key in value) {
      const one = value[key]
      if (typeof one !== 'string' && one !== null) throw this.#bad(field, `an object of texts ('${key}' is none)`)
    }
  }

  object(field: string): Json {
    const value = this.of[field]
    if (!isObject(value)) throw this.#bad(field, 'an object')
    return value
  }

  deletionVector(): void {
    const value = this.of['deletionVector']
    if (value === undefined || value === null) return
    const dv = new Fields(`${this.kind}.deletionVector`, this.object('deletionVector'), this.#where)
    dv.text('storageType')
    dv.text('pathOrInlineDv')
    dv.countOrNull('offset')
    dv.count('sizeInBytes')
    dv.count('cardinality')
  }
}

function fileFields(fields: Fields): void {
  fields.text('path')
  fields.mapOrNull('partitionValues')
  fields.mapOrNull('tags')
  fields.textOrNull('stats')
  fields.deletionVector()
  fields.integerOrNull('baseRowId')
  fields.integerOrNull('defaultRowCommitVersion')
}

/** The text of `txn.version` where it is more than a double can hold. The last of equal keys counts, as in JSON.parse. */
function exactVersion(raw: string, where: Where): string {
  const digits = memberText(raw, ['txn', 'version'])
  if (digits === null || !/^-?\d+$/.test(digits) || BigInt.asIntN(64, BigInt(digits)) !== BigInt(digits)) {
    throw bad('txn.version should be a 64-bit whole number', where)
  }
  return BigInt(digits).toString()
}

/** The source text of a member of nested objects in valid JSON, or null. Strings are skipped whole, so no value can fake a key. */
function memberText(raw: string, path: readonly string[]): string | null {
  const tokens = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g
  const keys: string[] = []
  let depth = 0
  let key: string | null = null
  let found: string | null = null
  let isKey = true
  for (const [token] of raw.matchAll(tokens)) {
    const onPath = depth === path.length && key !== null && [...keys, key].every((one, i) => one === path[i])
    if (token === '{' || token === '[') {
      keys.push(token === '[' ? '' : (key ?? ''))
      // The outermost object hangs on no key.
      if (depth === 0) keys.pop()
      depth++
      key = null
      isKey = token === '{'
    } else if (token === '}' || token === ']') {
      depth--
      keys.pop()
      isKey = false
    } else if (token === ',') isKey = true
    else if (token === ':') isKey = false
    else if (isKey && token.startsWith('"')) key = JSON.parse(token) as string
    else if (onPath) found = token
  }
  return found
}

function txnOf(fields: Fields, raw: string, where: Where): TxnAction {
  fields.text('appId')
  const version = fields.of['version']
  if (typeof version !== 'number') throw bad(`txn.version should be a whole number, is ${shown(version)}`, where)
  fields.time('lastUpdated')
  const exact = Number.isSafeInteger(version) ? String(version) : exactVersion(raw, where)
  // JSON.parse reads -0 as a number of its own; there is one zero among versions.
  fields.of['version'] = exact === '-0' ? '0' : exact
  return fields.of as unknown as TxnAction
}

const EMPTY_SCHEMA = '{"type":"struct","fields":[]}'

function checked(kind: string, value: Json, raw: string, where: Where, mode: ParseMode): Action {
  const fields = new Fields(kind, value, where)
  switch (kind) {
    case 'add':
      fileFields(fields)
      if (mode === 'partial' && value['modificationTime'] === undefined) value['modificationTime'] = 0
      fields.count('size')
      fields.integer('modificationTime')
      fields.flag('dataChange', true)
      fields.textOrNull('clusteringProvider')
      return { kind, add: value as unknown as AddAction }
    case 'remove':
      fileFields(fields)
      fields.countOrNull('size')
      fields.time('deletionTimestamp')
      fields.flagOrNull('dataChange')
      fields.flagOrNull('extendedFileMetadata')
      return { kind, remove: value as unknown as RemoveAction }
    case 'metaData':
      fields.text('id')
      fields.textOrNull('name')
      fields.textOrNull('description')
      // Spark takes a missing schema for an empty one, and its own tests write such tables.
      value['schemaString'] ??= EMPTY_SCHEMA
      fields.text('schemaString')
      fields.textsOrNull('partitionColumns')
      fields.mapOrNull('configuration')
      fields.time('createdTime')
      return { kind, metaData: value as unknown as MetadataAction }
    case 'protocol':
      fields.integer('minReaderVersion')
      fields.integer('minWriterVersion')
      fields.textsOrNull('readerFeatures')
      fields.textsOrNull('writerFeatures')
      return { kind, protocol: value as unknown as ProtocolAction }
    case 'txn':
      return { kind, txn: txnOf(fields, raw, where) }
    case 'domainMetadata':
      fields.text('domain')
      fields.flag('removed', false)
      if (value['removed'] === true && value['configuration'] === undefined) value['configuration'] = ''
      fields.text('configuration')
      return { kind, domainMetadata: value as unknown as DomainMetadataAction }
    case 'cdc':
      fields.text('path')
      fields.mapOrNull('partitionValues')
      fields.count('size')
      return { kind, cdc: value as unknown as CdcAction }
    case 'sidecar':
      fields.text('path')
      fields.count('sizeInBytes')
      return { kind, sidecar: value as unknown as SidecarAction }
    case 'checkpointMetadata':
      fields.count('version')
      return { kind, checkpointMetadata: value as unknown as CheckpointMetadataAction }
    default:
      return { kind: 'commitInfo', commitInfo: value }
  }
}

const KINDS: ReadonlySet<string> = new Set([
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

/**
 * One line as an action. Only the fields that sluice reckons with are checked; unknown fields and unknown actions pass.
 * @param raw one JSON object
 * @param where `file:line` for messages, made only when there is something to say
 * @throws SluiceError BAD_ACTION naming the field
 */
export function parseAction(raw: string, where: () => string, mode: ParseMode = 'whole'): Action {
  let parsed: unknown
  try {
    parsed = JSON.parse(raw)
  } catch (error) {
    throw bad(`no valid JSON (${error instanceof Error ? error.message : String(error)})`, where, error)
  }
  if (!isObject(parsed)) throw bad(`should be a JSON object, is ${shown(parsed)}`, where)
  let kind: string | null = null
  let name: string | null = null
  for (const key in parsed) {
    name ??= key
    // Some writers name every kind and leave all but one null.
    if (!KINDS.has(key) || parsed[key] === null) continue
    if (kind !== null) throw bad(`two actions on one line: ${kind} and ${key}`, where)
    kind = key
  }
  if (kind === null) return { kind: 'unknown', name: name ?? '' }
  const value = parsed[kind]
  if (!isObject(value)) throw bad(`${kind} should be an object, is ${shown(value)}`, where)
  return checked(kind, value, raw, where, mode)
}
