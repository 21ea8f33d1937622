/** `doctor`: checks all requirements of a run, and prints problems with hints. Read-only. */
import { dec } from '../../../model/run/event.ts'
import { countText } from '../../../shared/figures.ts'
import { SluiceError } from '../../../shared/errors.ts'
import { inspectDatabase } from '../../doctor/database.ts'
import { Examination } from '../../doctor/examination.ts'
import { inspectLake } from '../../doctor/lake.ts'
import { inspectProgram } from '../../doctor/program.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'
import type { doctor, DoctorOperation } from './declaration.ts'

type DoctorRun = RunOf<typeof doctor>

export async function performDoctor(operation: DoctorOperation, run: DoctorRun): Promise<Ending> {
  const examination = new Examination(run.emit, run.interrupt.abort)
  await inspectProgram(examination)
  if (operation.catalog !== undefined) await inspectDatabase(examination, operation.catalog, run)
  if (operation.path !== undefined) await inspectLake(examination, operation.path, run.clock)
  const { ok, warn, fail } = examination.counts
  const totals = { checks: dec(ok + warn + fail), ok: dec(ok), warnings: dec(warn), problems: dec(fail) }
  if (fail === 0) return { totals }
  const hint = 'do what each FAIL advises, then run sluice doctor again'
  return { totals, error: new SluiceError('SETUP_PROBLEMS', `${countText(fail, 'problem')} found`, { hint }) }
}
