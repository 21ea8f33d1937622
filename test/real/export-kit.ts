/**
 * Shared by the tests of `export-log`: runs the operation in this process, and returns the content of a catalog as
 * comparable values.
 */
import { domainsAt, stateAt, txnsAt } from '../../src/catalog/query/state.ts'
import { activeFiles } from '../../src/catalog/query/files.ts'
import { countsAt } from '../../src/catalog/query/counts.ts'
import { canonicalPath } from '../../src/delta/paths.ts'
import type { Snapshot } from '../../src/delta/snapshot.ts'
import type { ExportedCheckpoint } from '../../src/engine/lake/operations/export-log/declaration.ts'
import { performExportLog } from '../../src/engine/lake/operations/export-log/perform.ts'
import type { Ending } from '../../src/engine/run/run-context.ts'
import type { EventBody } from '../../src/model/run/event.ts'
import type { LogStore } from '../../src/model/lake/log-store.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { newOwner } from '../../src/shared/owner.ts'
import type { SqlDatabase } from '../../src/model/run/sql-port.ts'

export type Exported = Ending & { readonly warnings: readonly string[]; readonly events: readonly EventBody[] }

/**
 * Exports table `t` of a SQLite file.
 * @param nowMs time by which tombstones expire; 0 keeps all of them
 */
export async function exportTo(
  file: string,
  to: string,
  checkpoint?: ExportedCheckpoint,
  nowMs: number = systemClock.now(),
): Promise<Exported> {
  const warnings: string[] = []
  const events: EventBody[] = []
  const ending = await performExportLog(
    {
      kind: 'export-log',
      table: 't',
      catalog: `sqlite:///${file}`,
      to,
      ...(checkpoint === undefined ? {} : { checkpoint }),
    },
    {
      emit: (event) => {
        events.push(event)
        if (event.type === 'log') warnings.push(event.message)
      },
      interrupt: NEVER,
      clock: { ...systemClock, now: () => nowMs },
      tool: 'test',
      actor: 'test',
      host: 'here',
      commandLine: 'test',
      runId: '1',
      owner: newOwner('here'),
    },
  )
  return { ...ending, warnings, events }
}

/** A log under another name: absolute paths in an exported log refer to the table that it was exported from. */
export function namedAs(log: LogStore, root: string): LogStore {
  return {
    root,
    label: log.label,
    list: (folder, options) => log.list(folder, options),
    read: (path, options) => log.read(path, options),
    head: (path, signal) => log.head(path, signal),
    localFile: (path, signal) => log.localFile(path, signal),
  }
}

type Answer = { readonly files: readonly string[]; readonly state: unknown }

/** What the catalog has for a version: every active file with all its fields, and the rest of the table state. */
export async function catalogAnswer(database: SqlDatabase, root: string, version: number): Promise<Answer> {
  const files: string[] = []
  for await (const page of activeFiles(database, 't', version)) {
    for (const file of page) {
      files.push(
        factsOf(
          canonicalPath(file.path, root),
          file.dvId,
          file.size,
          file.modificationTime,
          JSON.parse(file.partitionValues) as Record<string, string | null>,
          file.stats,
        ),
      )
    }
  }
  const { protocol, metadata } = await stateAt(database, 't', version)
  const txns = (await txnsAt(database, 't', version)).map((t) => [t.appId, t.version, t.lastUpdated ?? null])
  const domains = (await domainsAt(database, 't', version)).map((d) => [d.domain, d.configuration])
  const counts = await countsAt(database, 't', version)
  const totals = { files: counts.files, bytes: String(counts.bytes) }
  return { files: files.toSorted(), state: plain({ protocol, metadata, txns, domains, totals }) }
}

/** The same for a snapshot of a log. */
export async function snapshotAnswer(snapshot: Snapshot, signal: AbortSignal): Promise<Answer> {
  const files: string[] = []
  for await (const block of snapshot.files({ signal })) {
    for (const { add, path, dvId } of block) {
      files.push(factsOf(path, dvId, add.size, add.modificationTime, add.partitionValues ?? {}, add.stats ?? null))
    }
  }
  const { protocol, metadata, txns, domains } = await snapshot.state(signal)
  const counts = await snapshot.counts(signal)
  return {
    files: files.toSorted(),
    state: plain({
      protocol,
      metadata,
      txns: [...txns.values()].map((t) => [t.appId, t.version, t.lastUpdated ?? null]).toSorted(),
      domains: [...domains.values()].map((d) => [d.domain, d.configuration]).toSorted(),
      totals: { files: counts.files, bytes: String(counts.bytes) },
    }),
  }
}

function factsOf(
  path: string,
  dv: string | null,
  size: number,
  modified: number,
  values: Readonly<Record<string, string | null>>,
  stats: string | null,
): string {
  const sorted = Object.entries(values).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([path, dv, size, modified, sorted, stats])
}

/** A null field equals an absent one, and an empty map equals a missing one. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, one]) => [key, plain(one)] as const)
  return Object.fromEntries(
    entries.filter(
      ([, one]) => one !== null && one !== undefined && JSON.stringify(one) !== '{}' && JSON.stringify(one) !== '[]',
    ),
  )
}
