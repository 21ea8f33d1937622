/** What is noted once an alert was sent, or was not. */
import type { AlertKey, AlertMemory, AlertState } from '../../model/run/alert-memory.ts'

/**
 * Confirms an alert that a sink took. Where none did, the opposite of what was noted is noted: a later look finds it, and sends it again.
 * @param state what was sent
 * @param begin notes that it stands, as it stood before its end
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
