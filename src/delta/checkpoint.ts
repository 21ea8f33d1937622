/**
 * Reads checkpoints as streams of actions (PROTOCOL.md, "Checkpoints"): classic, multi-part and V2 with sidecars. Every
 * fault of a checkpoint is BAD_CHECKPOINT, so that a reader can try an older checkpoint.
 */
import { SluiceError } from '../shared/errors.ts'
import type { LogStore } from '../model/lake/log-store.ts'
import type { ParquetRows, ParquetSelection } from '../model/lake/parquet-rows.ts'
import type { ActionKind, ActionLine, SidecarAction } from './actions.ts'
import { selectionOf, type FileFields } from './checkpoint-fields.ts'
import { actionLines, readLog } from './commit-lines.ts'
import type { CheckpointFiles } from './listing.ts'
import { SIDECAR_FOLDER, logPathOf } from './log-path.ts'
import { resolveDataPath } from './paths.ts'

export type { FileFields } from './checkpoint-fields.ts'

export type CheckpointOptions = {
  readonly signal: AbortSignal
  /** Default: every kind. */
  readonly kinds?: ReadonlySet<ActionKind>
  readonly fields?: FileFields
}

/** `prove` checks a whole file without rendering its rows, which is much cheaper. Some `ParquetRows` lack it. */
type MaybeProving = ParquetRows & {
  prove?(file: string, selection: ParquetSelection, signal: AbortSignal): Promise<void>
}

const RESTORE = 'restore the file, or write a new checkpoint with the engine that owns the table'

function badCheckpoint(
  checkpoint: CheckpointFiles,
  file: string,
  why: string,
  cause?: unknown,
  hint = RESTORE,
): SluiceError {
  const message = `checkpoint ${checkpoint.version} cannot be read: ${why}`
  return new SluiceError('BAD_CHECKPOINT', message, { where: file, hint, cause })
}

/**
 * Maps errors of a damaged checkpoint to BAD_CHECKPOINT; other errors (network, rights, disk) are returned unchanged.
 */
function asBadCheckpoint(error: unknown, checkpoint: CheckpointFiles, file: string): unknown {
  if (!(error instanceof SluiceError)) return error
  if (error.code === 'SOURCE_GONE') {
    const hint = `run the same command again: a writer may have removed an expired checkpoint meanwhile; else ${RESTORE}`
    return badCheckpoint(checkpoint, file, `${file} is missing`, error, hint)
  }
  if (error.code === 'BAD_ACTION' || error.code === 'PATH_ESCAPES') {
    return badCheckpoint(checkpoint, error.where ?? file, error.message, error)
  }
  if (error.code === 'BAD_CHECKPOINT') {
    const why = error.message.replace(/^the checkpoint cannot be read: /, '')
    return error.message.startsWith(`checkpoint ${checkpoint.version} `)
      ? error
      : badCheckpoint(checkpoint, file, why, error)
  }
  return error
}

/** Path of a sidecar, relative to the table root. @throws SluiceError PATH_ESCAPES if not in the sidecar folder */
export function sidecarPath(store: LogStore, sidecar: SidecarAction): string {
  const { path } = sidecar
  // A bare name is relative to the sidecar folder, unlike every other path of the log.
  const bare = !path.includes('/') && !path.includes(':')
  const place = resolveDataPath(bare ? `${SIDECAR_FOLDER}/${path}` : path, store.root)
  if (place.inside && place.path.startsWith(`${SIDECAR_FOLDER}/`) && !place.path.includes('/../')) return place.path
  throw new SluiceError('PATH_ESCAPES', `sidecar '${path}' is not in ${SIDECAR_FOLDER}`, { where: store.label })
}

type Source = {
  readonly store: LogStore
  readonly parquet: () => Promise<ParquetRows>
  readonly checkpoint: CheckpointFiles
  readonly signal: AbortSignal
}

async function* parquetLines(
  source: Source,
  path: string,
  selection: ParquetSelection,
  fields: FileFields,
): AsyncGenerator<readonly ActionLine[]> {
  const { store, parquet, signal } = source
  const rows = await parquet()
  const local = await store.localFile(path, signal, { columns: selection.map(({ column }) => column) })
  try {
    const mode = fields === 'all' || fields === 'structs' ? 'whole' : 'partial'
    yield* actionLines(rows.lines(local.file, selection, signal), path, { signal, mode })
  } finally {
    await local[Symbol.asyncDispose]()
  }
}

async function proveParquet(source: Source, path: string, selection: ParquetSelection): Promise<void> {
  const { store, parquet, signal } = source
  const rows: MaybeProving = await parquet()
  const local = await store.localFile(path, signal, { columns: selection.map(({ column }) => column) })
  try {
    if (rows.prove !== undefined) await rows.prove(local.file, selection, signal)
    else for await (const _ of rows.lines(local.file, selection, signal)) void _
  } catch (error) {
    throw asBadCheckpoint(error, source.checkpoint, path)
  } finally {
    await local[Symbol.asyncDispose]()
  }
}

/**
 * Kinds to read from the top-level file: `kinds`, the manifest row of V2, and sidecars if file actions are wanted.
 */
function topKinds(kinds: ReadonlySet<ActionKind> | undefined): ReadonlySet<ActionKind> | undefined {
  if (kinds === undefined) return undefined
  const all = new Set<ActionKind>(kinds).add('checkpointMetadata')
  return wantsFiles(kinds) ? all.add('sidecar') : all
}

function wantsFiles(kinds: ReadonlySet<ActionKind> | undefined): boolean {
  return kinds === undefined || kinds.has('add') || kinds.has('remove')
}

async function* topLines(
  source: Source,
  options: CheckpointOptions,
  found: { sidecars: SidecarAction[] },
): AsyncGenerator<readonly ActionLine[]> {
  const { checkpoint, store, signal } = source
  const kinds = topKinds(options.kinds)
  const fields = options.fields ?? 'all'
  let manifests = 0
  for (const { name } of checkpoint.files) {
    const path = logPathOf(name)
    const blocks =
      checkpoint.format === 'json'
        ? readLog(store, name, { signal, ...(kinds === undefined ? {} : { kinds }) })
        : parquetLines(source, path, selectionOf(kinds, fields), fields)
    try {
      for await (const block of blocks) {
        for (const { action } of block) {
          if (action.kind === 'sidecar') {
            const { path: named } = action.sidecar
            if (found.sidecars.some((one) => one.path === named))
              throw badCheckpoint(checkpoint, path, `it names sidecar ${named} twice`)
            found.sidecars.push(action.sidecar)
          } else if (action.kind === 'checkpointMetadata') {
            manifests++
            const { version } = action.checkpointMetadata
            if (version !== checkpoint.version)
              throw badCheckpoint(checkpoint, path, `its checkpointMetadata has version ${version}`)
          }
        }
        yield block
      }
    } catch (error) {
      throw asBadCheckpoint(error, checkpoint, path)
    }
    if (checkpoint.form === 'v2' && manifests !== 1) {
      throw badCheckpoint(checkpoint, path, `it has ${manifests} checkpointMetadata rows instead of one`)
    }
  }
}

async function* allLines(source: Source, options: CheckpointOptions): AsyncGenerator<readonly ActionLine[]> {
  const { checkpoint, store } = source
  const found: { sidecars: SidecarAction[] } = { sidecars: [] }
  yield* topLines(source, options, found)
  if (!wantsFiles(options.kinds)) return
  const fields = options.fields ?? 'all'
  const fileKinds = new Set<ActionKind>(['add', 'remove'])
  const kinds =
    options.kinds === undefined ? fileKinds : new Set([...fileKinds].filter((one) => options.kinds?.has(one)))
  for (const sidecar of found.sidecars) {
    try {
      yield* parquetLines(source, sidecarPath(store, sidecar), selectionOf(kinds, fields), fields)
    } catch (error) {
      throw asBadCheckpoint(error, checkpoint, `${SIDECAR_FOLDER}/${sidecar.path}`)
    }
  }
}

/**
 * The actions of a checkpoint in blocks: the rows of its file or parts, then the rows of its sidecars. `line` counts
 * the returned lines from 1, so it depends on `kinds`; `raw` is the JSON line, or the Parquet row rendered as JSON.
 * @param parquet opened only if a file is Parquet
 * @throws SluiceError BAD_CHECKPOINT, possibly after some blocks were returned: the caller must then discard these
 */
export async function* readCheckpoint(
  store: LogStore,
  parquet: () => Promise<ParquetRows>,
  checkpoint: CheckpointFiles,
  options: CheckpointOptions,
): AsyncIterable<readonly ActionLine[]> {
  const { kinds, signal } = options
  let line = 0
  for await (const block of allLines({ store, parquet, checkpoint, signal }, options)) {
    const wanted = kinds === undefined ? block : block.filter(({ action }) => kinds.has(action.kind))
    if (wanted.length > 0) yield wanted.map(({ raw, action }) => ({ line: ++line, raw, action }))
  }
}

/**
 * Checks a whole checkpoint, for callers that cannot discard rows after an error.
 * @throws SluiceError BAD_CHECKPOINT
 */
export async function proveCheckpoint(
  store: LogStore,
  parquet: () => Promise<ParquetRows>,
  checkpoint: CheckpointFiles,
  options: CheckpointOptions,
): Promise<void> {
  const source = { store, parquet, checkpoint, signal: options.signal }
  const selection = selectionOf(options.kinds, options.fields ?? 'all')
  const found: { sidecars: SidecarAction[] } = { sidecars: [] }
  const nothing = new Set<ActionKind>(wantsFiles(options.kinds) ? ['sidecar'] : ['checkpointMetadata'])
  // Parsing checks JSON lines. Parquet files are checked below, so here only the names of the sidecars are read.
  const kinds = checkpoint.format === 'json' ? options.kinds : nothing
  for await (const _ of topLines(source, { signal: options.signal, ...(kinds === undefined ? {} : { kinds }) }, found))
    void _
  if (checkpoint.format === 'parquet') {
    for (const { name } of checkpoint.files) await proveParquet(source, logPathOf(name), selection)
  }
  for (const sidecar of found.sidecars) {
    let path = `${SIDECAR_FOLDER}/${sidecar.path}`
    try {
      path = sidecarPath(store, sidecar)
      await proveParquet(source, path, selection)
    } catch (error) {
      throw asBadCheckpoint(error, checkpoint, path)
    }
  }
}
