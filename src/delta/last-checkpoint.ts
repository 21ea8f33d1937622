/** `_last_checkpoint` (PROTOCOL.md, "Last Checkpoint File"): only a hint, which saves a listing. */
import { SluiceError } from '../shared/errors.ts'
import type { LogStore } from '../model/lake/log-store.ts'
import { listLog } from './listing.ts'
import { LAST_CHECKPOINT, logPathOf } from './log-path.ts'
import { isObject } from './action-fields.ts'

export type LastCheckpointHint = {
  readonly version: number
  /** Number of actions in the checkpoint. */
  readonly size: number | null
  readonly parts: number | null
  readonly sizeInBytes: number | null
  readonly numOfAddFiles: number | null
  /** MD5 of the canonical form of the other fields, as computed by the writer. */
  readonly checksum: string | null
  readonly copy: HintCopy | null
}

/**
 * Copy of a V2 checkpoint's contents, as Delta on Spark writes it. A list is null if the copy lacks it.
 * @property name of the checkpoint's file @property actions JSON texts of all actions but files and sidecars
 */
export type HintCopy = {
  readonly name: string
  readonly sidecars: readonly string[] | null
  readonly actions: readonly string[] | null
}

/** Maximum number of bytes of a hint that are read; a schema of a thousand columns takes some hundred KB. */
export const MAX_HINT_BYTES = 16 << 20

type Checkpoints = {
  /** Complete checkpoints. */
  readonly checkpoints: readonly { readonly version: number; readonly files: readonly unknown[] }[]
  readonly incomplete: readonly { readonly version: number }[]
}

/** Content of a small file, or null if it is missing. */
export async function readSmall(store: LogStore, path: string, signal: AbortSignal): Promise<Buffer | null> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of store.read(path, { end: MAX_HINT_BYTES, signal })) chunks.push(chunk)
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'SOURCE_GONE') return null
    throw error
  }
  return Buffer.concat(chunks)
}

/** A JSON object, or null for anything else. */
export function parseObject(bytes: Buffer | null): Readonly<Record<string, unknown>> | null {
  if (bytes === null) return null
  try {
    const parsed: unknown = JSON.parse(bytes.toString('utf8').replace(/^\ufeff/, ''))
    return isObject(parsed) ? parsed : null
  } catch {
    return null
  }
}

export function countOrNull(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null
}

function copyOf(value: unknown): HintCopy | null {
  if (!isObject(value) || typeof value['path'] !== 'string') return null
  const list = (name: string): readonly unknown[] | null => (Array.isArray(value[name]) ? value[name] : null)
  const pathOf = (sidecar: unknown): string => (isObject(sidecar) ? String(sidecar['path']) : '')
  return {
    name: value['path'].slice(value['path'].lastIndexOf('/') + 1),
    sidecars: list('sidecarFiles')?.map(pathOf) ?? null,
    actions: list('nonFileActions')?.map((action) => JSON.stringify(action)) ?? null,
  }
}

function hintOf(object: Readonly<Record<string, unknown>>): LastCheckpointHint | null {
  const count = (camel: string, snake: string): number | null =>
    countOrNull(object[camel]) ?? countOrNull(object[snake])
  const version = countOrNull(object['version'])
  if (version === null) return null
  return {
    version,
    size: countOrNull(object['size']),
    parts: countOrNull(object['parts']),
    sizeInBytes: count('sizeInBytes', 'size_in_bytes'),
    numOfAddFiles: count('numOfAddFiles', 'num_of_add_files'),
    checksum: typeof object['checksum'] === 'string' ? object['checksum'] : null,
    copy: copyOf(object['v2Checkpoint']),
  }
}

/**
 * The hint, or null if it is missing, empty, unparsable or names no version. Old versions of delta-rs wrote snake_case
 * names. Does not check that the checkpoint exists.
 * @throws SluiceError SOURCE_DENIED, SOURCE_IO
 */
export async function readHint(store: LogStore, signal: AbortSignal): Promise<LastCheckpointHint | null> {
  const object = parseObject(await readSmall(store, logPathOf(LAST_CHECKPOINT), signal))
  return object === null ? null : hintOf(object)
}

/** `bad`: the file is not a valid hint. `text`: the beginning of the file. `why`: the reason as one clause. */
export type HintInspection =
  | { readonly state: 'absent' }
  | { readonly state: 'bad'; readonly text: string; readonly why: string }
  | { readonly state: 'hint'; readonly hint: LastCheckpointHint }

const SHOWN_BYTES = 80

/** Reads the hint and finds what is wrong with it. @throws SluiceError SOURCE_DENIED; SOURCE_IO if a retry may help */
export async function inspectHint(store: LogStore, signal: AbortSignal): Promise<HintInspection> {
  let bytes: Buffer | null
  try {
    bytes = await readSmall(store, logPathOf(LAST_CHECKPOINT), signal)
  } catch (error) {
    // SOURCE_IO without a retry: `_last_checkpoint` is a folder.
    if (!(error instanceof SluiceError) || error.code !== 'SOURCE_IO' || error.retryable) throw error
    return { state: 'bad', text: '', why: `${LAST_CHECKPOINT} is not a file` }
  }
  if (bytes === null) return { state: 'absent' }
  const bad = (why: string): HintInspection => ({
    state: 'bad',
    text: bytes.subarray(0, SHOWN_BYTES).toString('utf8'),
    why: `${LAST_CHECKPOINT} ${why}`,
  })
  const object = parseObject(bytes)
  if (object === null) return bad('is not a JSON object')
  const hint = hintOf(object)
  if (hint === null) return bad('names no version')
  if (object['parts'] != null && hint.parts === null) return bad('has a number of parts that is not valid')
  return hint.size === null ? bad('has no size') : { state: 'hint', hint }
}

/**
 * Checkpoints to compare a hint with: the listed ones. If these lack the version of the hint, lists this version again:
 * a writer may have written the checkpoint after the listing.
 * @throws SluiceError SOURCE_DENIED, SOURCE_IO
 */
export async function checkpointsForHint(
  store: LogStore,
  version: number,
  listed: Checkpoints,
  signal: AbortSignal,
): Promise<Checkpoints> {
  if (listed.checkpoints.some((one) => one.version === version)) return listed
  return await listLog(store, { from: version, before: version + 1, signal, mayBeEmpty: true })
}

/**
 * Checks that `_last_checkpoint` leads to a checkpoint: it is only a hint, but other readers do not open a table whose
 * hint is wrong. Returns what is wrong; null if the hint is missing, or names a checkpoint of the log, even an old one.
 */
export function hintFault(
  inspection: HintInspection,
  { checkpoints, incomplete }: Checkpoints,
): { readonly found?: string; readonly detail: string } | null {
  if (inspection.state === 'absent') return null
  if (inspection.state === 'bad') return { found: inspection.text, detail: inspection.why }
  const { version, parts } = inspection.hint
  const there = checkpoints.filter((one) => one.version === version)
  const named = `_last_checkpoint names checkpoint ${version}`
  if (there.length === 0) {
    const torn = incomplete.some((one) => one.version === version)
    return { found: `${version}`, detail: `${named}, ${torn ? 'which is incomplete' : 'which does not exist'}` }
  }
  const wanted = parts ?? 1
  if (there.some(({ files }) => files.length === wanted)) return null
  const has = there.map(({ files }) => files.length).join(' or ')
  return { found: `${wanted} parts`, detail: `${named} in ${wanted} parts, but it has ${has}` }
}
