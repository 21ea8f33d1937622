/** What older versions refer to: files that VACUUM keeps or may delete, change data, and sidecars of checkpoints. */
import { readCheckpoint } from '../../delta/checkpoint.ts'
import { readLog } from '../../delta/commit-lines.ts'
import type { ActionKind, SidecarAction } from '../../delta/actions.ts'
import type { Finding } from '../../delta/fsck/finding.ts'
import { MARKS, type ListedFiles } from '../../delta/fsck/listed-files.ts'
import { SIDECAR_FOLDER } from '../../delta/log-path.ts'
import { canonicalPath } from '../../delta/paths.ts'
import { parquetRows } from '../registry.ts'
import { breathe, throwIfAborted } from '../../shared/abort.ts'
import type { Places } from './places.ts'
import type { FsckFile, Subject } from './subject.ts'

const FILE_KINDS: ReadonlySet<ActionKind> = new Set<ActionKind>(['add', 'remove', 'cdc'])
const SIDECARS: ReadonlySet<ActionKind> = new Set<ActionKind>(['sidecar'])

export type HistoryCounts = {
  readonly commits: number
  /** Files that only older versions refer to, and how many of them are gone. */
  readonly older: number
  readonly gone: number
  /** Versions below this one need files that are gone; null when none is. */
  readonly unreadableBelow: number | null
  readonly changeFiles: number
  readonly changeGone: number
}

/**
 * Marks the files of older versions in the listing.
 * @param keepFrom ms since the epoch: what was removed since then VACUUM keeps
 * @param needed files of the version that were not found
 */
export async function lookAtHistory(
  { store, table }: Subject,
  listed: ListedFiles,
  places: Places,
  keepFrom: number,
  needed: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<HistoryCounts> {
  const gone = new Set<string>()
  const older = new Set<number>()
  let unreadableBelow: number | null = null
  const refer = async (file: FsckFile, mark: number, removedAt: number | null): Promise<void> => {
    const place = await places.file(file.path)
    if (place?.inside === true) {
      const no = listed.find(place.path)
      if (no !== null) {
        listed.mark(no, mark)
        older.add(no)
      } else if (!needed.has(place.path)) {
        gone.add(place.path)
        if (removedAt !== null) unreadableBelow = Math.max(unreadableBelow ?? 0, removedAt)
      }
    }
    if (file.vector === null) return
    const vector = await places.vector(file.vector).catch(() => null)
    if (vector === null || vector === 'inline' || !vector.inside) return
    const no = listed.find(vector.path)
    if (no !== null) listed.mark(no, mark)
    else if (!needed.has(vector.path)) {
      gone.add(vector.path)
      if (removedAt !== null) unreadableBelow = Math.max(unreadableBelow ?? 0, removedAt)
    }
  }
  const snapshot = await table.snapshot({}, { signal })
  for await (const block of snapshot.tombstones(signal)) {
    for (const { remove, removedVersion } of block) {
      const isKept = (remove.deletionTimestamp ?? 0) >= keepFrom
      await refer(fileOf(remove), isKept ? MARKS.kept : MARKS.expired, removedVersion)
    }
  }
  const { commits } = await table.listing(signal)
  let changeFiles = 0
  let changeGone = 0
  for (const { name, version } of commits) {
    await breathe()
    throwIfAborted(signal)
    for await (const block of readLog(store, name, { signal, kinds: FILE_KINDS })) {
      for (const { action } of block) {
        if (action.kind === 'add') await refer(fileOf(action.add), MARKS.expired, null)
        else if (action.kind === 'remove') await refer(fileOf(action.remove), MARKS.expired, version)
        else if (action.kind === 'cdc') {
          changeFiles++
          const no = listed.find(canonicalPath(action.cdc.path, store.root))
          if (no === null) changeGone++
          else listed.mark(no, MARKS.expired)
        }
      }
    }
  }
  return { commits: commits.length, older: older.size, gone: gone.size, unreadableBelow, changeFiles, changeGone }
}

function fileOf(action: {
  readonly path: string
  readonly size?: number | null
  readonly deletionVector?: FsckFile['vector'] | undefined
}): FsckFile {
  const vector = action.deletionVector ?? null
  return { path: action.path, size: action.size ?? 0, modificationTime: 0, stats: null, vector }
}

/** Sidecars that checkpoints name: whether they are there in their size. Checkpoints that cannot be read are `validate`'s to tell. */
export async function lookAtSidecars(
  { store, table }: Subject,
  found: (finding: Finding) => void,
  signal: AbortSignal,
): Promise<number> {
  const checkpoints = (await table.listing(signal)).checkpoints.filter(({ form }) => form === 'v2')
  if (checkpoints.length === 0) return 0
  const there = new Map<string, number>()
  for await (const { name, size } of store.list(SIDECAR_FOLDER, { attributes: true, signal }))
    there.set(name, size ?? -1)
  let looked = 0
  for (const checkpoint of checkpoints) {
    const sidecars: SidecarAction[] = []
    for await (const block of readCheckpoint(store, parquetRows, checkpoint, { signal, kinds: SIDECARS })) {
      for (const { action } of block) if (action.kind === 'sidecar') sidecars.push(action.sidecar)
    }
    for (const { path, sizeInBytes } of sidecars) {
      looked++
      const name = path.slice(path.lastIndexOf('/') + 1)
      const size = there.get(name)
      const of = `the sidecar of checkpoint ${checkpoint.version}`
      if (size === undefined) {
        found({ level: 'finding', kind: 'sidecar-missing', path: name, detail: `${of} is not there` })
      } else if (size !== sizeInBytes) {
        const detail = `${of} has ${size} bytes, the checkpoint says ${sizeInBytes}`
        found({ level: 'finding', kind: 'sidecar-size', path: name, log: `${sizeInBytes}`, found: `${size}`, detail })
      }
    }
  }
  return looked
}
