/** Converts an operation to a queued run: its tasks, with names instead of URLs. */
import path from 'node:path'
import type { QueuedStore, QueuedRun, QueuedSlot } from '../../model/share/queue-port.ts'
import { sourceAndTarget, storesOf, withPlaces } from '../operations/facts.ts'
import type { Operation } from '../operations/list.ts'
import { newRunId } from '../../engine/run/run-id.ts'
import { identifiedFolder } from './folder-identity.ts'
import { identified } from './identity.ts'
import type { NamedUrl } from '../../model/share/own-url.ts'
import type { QueuedOptions } from '../../model/share/work-port.ts'
import { programMark } from './queues.ts'
import {
  operationFolders,
  namedStores,
  sharingOf,
  withStoreNames,
  type Sharing,
  refuseUnnamedStore,
} from './sharing.ts'

/** An operation that can be queued: without secrets, with absolute paths. */
export type Queueable = {
  /** The operation with complete URLs. */
  readonly operation: Operation
  /** Stores of the config file that the operation uses. */
  readonly stores: readonly NamedUrl[]
  readonly folders: readonly string[]
}

/** @throws SluiceError BAD_FLAG for a database without a name in the config file */
export function queueable(operation: Operation, known: readonly NamedUrl[]): Queueable {
  refuseUnnamedStore(operation)
  const relative = new Set(operationFolders(operation))
  const placed = withPlaces(operation, (name) => (relative.has(name) ? path.resolve(name) : name))
  return { operation: placed, stores: namedStores(placed, known), folders: operationFolders(placed) }
}

/**
 * Current identities of the stores and folders; creates marker files. @param warn called if a folder gets no marker
 * @throws SluiceError CONNECT_FAILED, NO_SUCH_PATH …
 */
export async function storeIdentities(
  { operation, stores, folders }: Queueable,
  warn: (message: string) => void,
): Promise<readonly QueuedStore[]> {
  const written = new Set(storesOf(operation).flatMap(({ access, name }) => (access === 'write' ? [name] : [])))
  const named = folders.map((folder) => identifiedFolder(folder, written.has(folder), warn))
  for (const store of stores) named.push(await identified(store))
  return named
}

/** @param most maximum number of workers that share the operation @param whole true if one task does all of the work */
function tasksOf(
  sharing: Sharing,
  operation: Operation,
  stores: readonly NamedUrl[],
  { most, whole }: { readonly most: number; readonly whole: boolean },
): readonly QueuedSlot[] {
  const named = (about: string, part: Operation): QueuedSlot => ({ about, operation: withStoreNames(part, stores) })
  switch (sharing.by) {
    case 'chunks':
      return Array.from({ length: most }, () => ({ about: '' }))
    case 'parts':
      return whole ? [named('', operation)] : sharing.parts.map(({ about, operation: part }) => named(about, part))
    case 'stream':
      return [
        named('', operation),
        ...Array.from({ length: most - 1 }, (): QueuedSlot => ({ about: 'beside the stream', onCall: true })),
      ]
  }
}

/** @throws SluiceError BAD_FLAG if the operation cannot be shared */
export function queuedRun({ operation, stores }: Queueable, options: QueuedOptions): QueuedRun {
  const { commandLine, tool, actor, host, clock, queue, mark = null, whole = false } = options
  const sharing = sharingOf(operation)
  const slots = tasksOf(sharing, operation, stores, { most: options.slots, whole })
  const { source = null, target = null } = sourceAndTarget(operation)
  return {
    runId: newRunId(clock),
    kind: operation.kind,
    takesTurns: sharing.by === 'chunks',
    operation: withStoreNames(operation, stores),
    stores: options.stores,
    commandLine,
    source,
    target,
    program: programMark(tool),
    actor,
    host,
    queue,
    mark,
    slots,
  }
}
