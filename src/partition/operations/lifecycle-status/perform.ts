/** `lifecycle status`: the four phases of each configured table, what is due and what prevents it. Read-only. */
import { dec } from '../../../model/run/event.ts'
import {
  LIFECYCLE_PHASES,
  type LifecyclePhaseName,
  type LifecycleState,
} from '../../../model/partition/lifecycle-events.ts'
import { asSluiceError, type SluiceError } from '../../../shared/errors.ts'
import { archivePhase } from '../../lifecycle/archive-phase.ts'
import { newPartitionsPhase } from '../../lifecycle/new-partitions-phase.ts'
import { entryCommand } from '../../lifecycle/commands.ts'
import type { LifecycleEntry } from '../../lifecycle/entry.ts'
import { inspectLifecycle } from '../../lifecycle/inspect-lifecycle.ts'
import type { InspectedTable, Phase, LifecyclePhases } from '../../lifecycle/inspected.ts'
import { OpenStores } from '../../lifecycle/open-stores.ts'
import { partitioningPhase } from '../../lifecycle/partitioning-phase.ts'
import { switchPhase } from '../../lifecycle/switch-phase.ts'
import { failedTables } from '../../failed-tables.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'
import type { lifecycleStatus, LifecycleStatusOperation } from './declaration.ts'

type Run = RunOf<typeof lifecycleStatus>

/** @throws SluiceError the error of the table, if there is only one */
export async function performLifecycleStatus(
  { entries, databases }: LifecycleStatusOperation,
  run: Run,
): Promise<Ending> {
  const counts: Record<LifecycleState, number> = {
    blocked: 0,
    due: 0,
    running: 0,
    done: 0,
    'not begun': 0,
    'not asked for': 0,
  }
  const left: string[] = []
  const errors: SluiceError[] = []
  for (const entry of entries) {
    try {
      // New sessions for each table: a failed one must not be reused.
      await using stores = new OpenStores(databases)
      const inspected = await inspectLifecycle(entry, stores, run, (what) => left.push(what))
      const phases = await phasesOf(inspected)
      for (const [at, name] of LIFECYCLE_PHASES.entries()) {
        counts[phases[name].state]++
        report(inspected, at + 1, name, phases[name], run.emit)
      }
    } catch (error) {
      const known = asSluiceError(error)
      if (run.interrupt.abort.aborted || known.code === 'INTERNAL' || entries.length === 1) throw known
      errors.push(known)
      run.emit({
        type: 'log',
        level: 'error',
        table: entry.table,
        message: [`${known.code} ${known.message}`, known.reason].filter(Boolean).join('; '),
        ...(known.hint === undefined ? {} : { hint: wholeOf(entry, run)(known.hint) }),
      })
    }
  }
  return {
    ...failedTables(errors),
    ...(left.length === 0 ? {} : { notChecked: left.join('; ') }),
    totals: {
      tables: dec(entries.length - errors.length),
      ...(errors.length === 0 ? {} : { failed: dec(errors.length) }),
      blocked: dec(counts.blocked),
      due: dec(counts.due),
      running: dec(counts.running),
      done: dec(counts.done),
    },
  }
}

async function phasesOf(inspected: InspectedTable): Promise<LifecyclePhases> {
  const partitioning = await partitioningPhase(inspected)
  return {
    partitioning,
    switch: switchPhase(inspected, partitioning),
    'new partitions': await newPartitionsPhase(inspected),
    archiving: await archivePhase(inspected),
  }
}

function report(
  { name: table, entry, run }: InspectedTable,
  phase: number,
  name: LifecyclePhaseName,
  said: Phase,
  emit: Run['emit'],
): void {
  const whole = wholeOf(entry, run)
  const blocks = said.blocks === undefined ? {} : { blocks: said.blocks.map(whole) }
  const next = said.next === undefined ? {} : { next: whole(said.next) }
  emit({ type: 'lifecycle.phase', table, phase, name, ...said, detail: whole(said.detail), ...blocks, ...next })
}

/** Completes commands in a text with the databases of this entry, because the file names databases per table. */
function wholeOf(entry: LifecycleEntry, { wholeBy }: Pick<Run, 'wholeBy'>): (text: string) => string {
  return wholeBy?.(entryCommand(entry)) ?? ((text) => text)
}
