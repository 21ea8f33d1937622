/** Runs operations in this process, like a frontend, and keeps their events. */
import type { RunFinished } from '../../src/engine/run/operation.ts'
import { runOperation } from '../../src/app/run.ts'
import type { CheckEvent, Event } from '../../src/model/run/event.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { systemClock, type Clock } from '../../src/shared/clock.ts'
import type { FsckOperation } from '../../src/engine/lake/operations/fsck/declaration.ts'
import type { Operation } from '../../src/app/operations/list.ts'

export type Performed = {
  readonly finished: RunFinished
  readonly events: readonly Event[]
  /** Statements of `grants`, in order. */
  readonly statements: readonly string[]
  readonly notes: readonly string[]
  /** A finding of `doctor` by its name; undefined if there is none. */
  check(name: string, area?: string): CheckEvent | undefined
}

export async function perform(operation: Operation, clock: Clock = systemClock): Promise<Performed> {
  const events: Event[] = []
  const finished = await runOperation(operation, {
    interrupt: NEVER,
    clock,
    tool: '0.0.0',
    actor: 'test',
    host: 'here',
    commandLine: `sluice ${operation.kind}`,
    onEvent: (event) => events.push(event),
  })
  return {
    finished,
    events,
    statements: events.flatMap((event) => (event.type === 'statement' ? [event.sql] : [])),
    notes: events.flatMap((event) => (event.type === 'log' ? [event.message] : [])),
    check: (name, area) =>
      events.find(
        (event) => event.type === 'check' && event.check === name && (area === undefined || event.area === area),
      ) as CheckEvent | undefined,
  }
}

export function importOf(table: string, catalog: string): Operation {
  return {
    kind: 'import',
    table,
    catalog,
    dryRun: false,
    resume: false,
    batchSize: 10_000,
    verbose: false,
    allowRefused: false,
    waitMs: 0,
  }
}

export function fsckOf(table: string, more: Partial<FsckOperation> = {}): Operation {
  return { kind: 'fsck', table, asOf: {}, deep: false, seed: '0', outside: false, ...more }
}

export function validateOf(table: string, catalog: string): Operation {
  return { kind: 'validate', table, catalog, verbose: false, samples: 4 }
}

export function batchOf(path: string, catalog: string): Operation {
  return {
    kind: 'batch-import',
    path,
    catalog,
    recursive: true,
    exclude: [],
    parallel: 2,
    batchSize: 10_000,
    dryRun: false,
    resume: false,
    verbose: false,
  }
}
