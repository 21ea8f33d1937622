/** Records whether an alert was sent. */
import type { AlertKey } from '../../model/run/alert.ts'
import type { AlertMemory, AlertState } from '../../model/run/alert-memory.ts'

/**
 * Confirms an alert that a sink accepted. If no sink accepted it, records the opposite state, so that a later check
 * finds the alert and sends it again.
 * @param state state of the alert that was sent
 * @param begin records the alert as active since its original start
 */
export async function confirm(
  memory: Pick<AlertMemory, 'end' | 'sent'>,
  key: AlertKey,
  state: AlertState,
  isReached: boolean,
  begin: () => Promise<unknown>,
): Promise<void> {
  if (isReached) return await memory.sent(key, state)
  if (state === 'raised') await memory.end(key)
  else await begin()
  await memory.sent(key, state === 'raised' ? 'cleared' : 'raised')
}
