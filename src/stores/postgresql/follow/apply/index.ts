/** PostgreSQL as the target of changes. */
import type { ChangeRequest, ChangeTarget, ChangeWriter, TargetPreflight } from '../../../../model/follow/port.ts'
import { postgresTargetError } from '../../server/errors.ts'
import type { PostgresSettings } from '../../server/settings.ts'
import { checkPostgresTarget } from './preflight.ts'
import { openApplySession } from './session.ts'
import { PostgresChangeWriter } from './writer.ts'

export class PostgresApply implements ChangeTarget {
  readonly frames = 'pg-binary'
  readonly #settings: PostgresSettings

  constructor(settings: PostgresSettings) {
    this.#settings = settings
  }

  async inspect(request: ChangeRequest): Promise<TargetPreflight> {
    try {
      return await checkPostgresTarget(request, this.#settings)
    } catch (error) {
      throw postgresTargetError(error, this.#settings, this.#settings.label)
    }
  }

  async open(request: ChangeRequest): Promise<ChangeWriter> {
    try {
      const session = await openApplySession(this.#settings, request)
      return new PostgresChangeWriter(request, session, this.#settings)
    } catch (error) {
      throw postgresTargetError(error, this.#settings, this.#settings.label)
    }
  }
}
