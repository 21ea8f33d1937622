/** PostgreSQL as the target of changes. */
import type { ChangeRequest, ChangeTarget, ChangeWriter, TargetPreflight } from '../../../../model/follow/port.ts'
import { targetError } from '../../server/errors.ts'
import type { PostgresSettings } from '../../server/settings.ts'
import { examineTarget } from './preflight.ts'
import { openApplySession } from './session.ts'
import { PostgresChangeWriter } from './writer.ts'

export class PostgresApply implements ChangeTarget {
  readonly frames = 'pg-binary'
  readonly #settings: PostgresSettings

  constructor(settings: PostgresSettings) {
    this.#settings = settings
  }

  async examine(request: ChangeRequest): Promise<TargetPreflight> {
    try {
      return await examineTarget(request, this.#settings)
    } catch (error) {
      throw targetError(error, this.#settings, this.#settings.label)
    }
  }

  async open(request: ChangeRequest): Promise<ChangeWriter> {
    try {
      const session = await openApplySession(this.#settings, request)
      return new PostgresChangeWriter(request, session, this.#settings)
    } catch (error) {
      throw targetError(error, this.#settings, this.#settings.label)
    }
  }
}
