/** `discover`: lists every table below a folder with its facts, and why it is not readable. Changes nothing. */
import { probeTable } from '../../../../delta/probe.ts'
import { dec, type TableEvent } from '../../../../model/run/event.ts'
import { isoTime } from '../../../../shared/clock.ts'
import { asSluiceError, SluiceError } from '../../../../shared/errors.ts'
import { orderedResults, parallelAt } from '../../in-order.ts'
import {
  foldersInside,
  unsearchedText,
  shallowText,
  unsearchedError,
  walkLake,
  type FoundInFolder,
} from '../../walk.ts'
import { openLake, parquetRows } from '../../../run/registry.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { discover, DiscoverOperation } from './declaration.ts'

type DiscoverRun = RunOf<typeof discover>

export async function performDiscover(operation: DiscoverOperation, run: DiscoverRun): Promise<Ending> {
  const { emit, interrupt } = run
  let tables = 0
  let unreadable = 0
  let sources = 0
  let excluded = 0
  let bytes = 0n
  const workers = parallelAt([operation.path])
  const shallow: string[] = []
  const unsearched: string[] = []
  let last: Extract<FoundInFolder, { kind: 'table' }> | null = null
  const walked = { ...operation, signal: interrupt.stop, onShallow: (name: string) => void shallow.push(name) }
  const probed = orderedResults(walkLake(operation.path, walked), workers, async (found) => ({
    found,
    event: found.kind === 'table' ? await discoveredTableEvent(found.name, found.path, interrupt.abort) : null,
  }))
  for await (const { found, event } of probed) {
    if (found.kind === 'excluded') {
      excluded++
      continue
    }
    if (found.kind === 'unreadable' || found.kind === 'unseen') {
      emit({ type: 'log', level: 'warn', table: found.name, message: unsearchedText(found) })
      if (found.kind === 'unreadable') unsearched.push(found.name)
      continue
    }
    if (found.kind !== 'table') {
      sources++
      emit({
        type: 'source',
        source: found.name,
        location: found.path,
        system: found.system,
        bytes: dec(found.bytes),
        modified: isoTime(found.modified),
      })
      continue
    }
    if (event === null) continue
    tables++
    last = found
    if (!event.readable) unreadable++
    bytes += BigInt(event.bytes ?? 0)
    emit(event)
  }
  // Find the folders inside of a table only if no other table was found: this lists the table's folder completely.
  if (!operation.recursive && tables === 1 && last !== null)
    shallow.push(...(await foldersInside(operation.path, last, walked)))
  if (shallow.length > 0) {
    const none = tables === 0 ? 'no table is directly in it; ' : ''
    emit({ type: 'log', level: 'note', message: none + shallowText(shallow, 'listed', 'lists') })
  }
  return {
    totals: {
      tables: dec(tables),
      readable: dec(tables - unreadable),
      unreadable: dec(unreadable),
      sources: dec(sources),
      excluded: dec(excluded),
      bytes: dec(bytes),
      ...(unsearched.length === 0 ? {} : { unsearched: dec(unsearched.length) }),
    },
    ...(unsearched.length === 0 ? {} : { error: unsearchedError(unsearched) }),
  }
}

/** Facts of one table as an event. For an unreadable table the event has the error. */
export async function discoveredTableEvent(name: string, path: string, signal: AbortSignal): Promise<TableEvent> {
  const head = { type: 'table', table: name, location: path } as const
  try {
    const facts = await probeTable(await openLake(path), parquetRows, signal)
    return {
      ...head,
      readable: facts.refusal === null,
      version: dec(facts.version),
      ...(facts.files === null ? {} : { files: dec(facts.files) }),
      ...(facts.bytes === null ? {} : { bytes: dec(facts.bytes) }),
      ...(facts.rows === null ? {} : { rows: dec(facts.rows) }),
      ...(facts.lastCommit === null ? {} : { lastCommit: isoTime(facts.lastCommit) }),
      ...(facts.partitionColumns === null ? {} : { partitionColumns: facts.partitionColumns }),
      ...(facts.features === null ? {} : { features: facts.features }),
      ...(facts.protocol === null
        ? {}
        : { protocol: `${facts.protocol.minReaderVersion}/${facts.protocol.minWriterVersion}` }),
      ...(facts.historyFrom === null ? {} : { historyFrom: dec(facts.historyFrom) }),
      ...(facts.refusal === null ? {} : { error: facts.refusal.info() }),
    }
  } catch (error) {
    const failure = asSluiceError(error)
    if (!(error instanceof SluiceError) || failure.kind === 'stopped') throw error
    return { ...head, readable: false, error: failure.info() }
  }
}
