/** Error for a run that a queue does not have. */
import { SluiceError } from '../../shared/errors.ts'

/** @param label URL of the queue without password */
export function unknownRun(runId: string, label: string): SluiceError {
  return new SluiceError('NO_SUCH_PATH', `the queue has no run ${runId}`, {
    where: label,
    hint: 'sluice runs --distributed lists its runs',
  })
}
