/**
 * Runs commands as a frontend does, and prints their events as lines that are the same on each database: without times,
 * run ids and paths.
 */
import type { RunFinished } from '../../src/engine/run/operation.ts'
import { runOperation } from '../../src/app/run.ts'
import type { Event, EventBody, PlanLine } from '../../src/model/run/event.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import type { Operation } from '../../src/app/operations/list.ts'

export type Said = {
  readonly finished: RunFinished
  readonly events: readonly Event[]
  /** One line per event with a lasting fact, and one for the end. */
  readonly lines: readonly string[]
}

/** @param stopAt requests a stop when it returns true */
export async function command(
  operation: Operation,
  home: string,
  stopAt: (event: Event) => boolean = () => false,
): Promise<Said> {
  const events: Event[] = []
  const interrupter = new Interrupter()
  const finished = await runOperation(operation, {
    interrupt: interrupter,
    clock: systemClock,
    tool: '0.0.0',
    actor: 'test',
    host: 'here',
    commandLine: `sluice ${operation.kind}`,
    onEvent: (event) => {
      events.push(event)
      if (stopAt(event)) interrupter.requestStop()
    },
  })
  const reported = events.flatMap((event) => lineOf(event) ?? [])
  return { finished, events, lines: reported.map((line) => line.replaceAll(home, '…')) }
}

function lineOf(event: EventBody): string | null {
  switch (event.type) {
    case 'plan.ready':
      return words('plan', event.tables, 'tables', ...(event.details ?? []).flatMap(planned))
    case 'table.finished':
      return words(
        event.table,
        event.status,
        version(event.version),
        count(event.files, 'files'),
        count(event.bytes, 'bytes'),
        count(event.actions, 'actions'),
        event.error?.code,
        ...(event.notes ?? []),
      )
    case 'table':
      return words(
        event.table,
        version(event.version),
        count(event.files, 'files'),
        count(event.bytes, 'bytes'),
        count(event.rows, 'rows'),
        event.error?.code,
      )
    case 'question':
      return words(event.question, event.same ? 'same' : `DIFFERENT ${event.difference ?? ''}`, event.rows, 'rows')
    case 'verify.mismatch':
      return words('MISMATCH', event.check, event.field, event.log, event.catalog)
    case 'file':
      return words(event.path, event.size, event.rows, version(event.addedVersion), event.deletionVector)
    case 'commit':
      return words(
        `v${event.version}`,
        event.operation,
        `+${event.adds} -${event.removes} +${event.addedBytes} -${event.removedBytes} bytes`,
        `= ${event.files ?? '?'} files ${event.bytes ?? '?'} bytes`,
        event.checkpoint ? 'checkpoint' : undefined,
      )
    case 'change':
      return words(version(event.version), event.change, event.path, event.size, event.detail)
    case 'run':
      return words(
        event.command,
        event.table,
        event.status,
        version(event.version),
        count(event.behind, 'behind'),
        count(event.filesProcessed, 'files'),
        event.error?.split(':', 1)[0],
      )
    case 'log':
      return event.level === 'warn' || event.level === 'error' ? words(event.level, event.message) : null
    case 'run.finished': {
      // The faster side depends on the machine.
      const lasting = Object.entries(event.totals).filter(([name]) => !/Faster$|^even$/.test(name))
      const totals = lasting.map(([name, total]) => `${name}=${total}`)
      return words('END', event.status, event.exitCode.toString(), ...totals.toSorted(), event.error?.code)
    }
    default:
      return null
  }
}

function planned(line: PlanLine): string[] {
  return [`| ${words(line.table, line.status, version(line.toVersion), count(line.files, 'files'), line.error?.code)}`]
}

const version = (at: string | undefined): string | undefined => (at === undefined ? undefined : `v${at}`)
const count = (n: string | undefined, of: string): string | undefined => (n === undefined ? undefined : `${n} ${of}`)
const words = (...parts: readonly (string | undefined)[]): string =>
  parts.filter((part) => part !== undefined).join(' ')
