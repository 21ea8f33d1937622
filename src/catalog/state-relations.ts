/** The relations of the state in force: the newest row of each key at or below a version. */
export type StateRelation = {
  readonly name: 'delta_metadata' | 'delta_protocols' | 'delta_txns' | 'delta_domains'
  /** Rows with the same value here replace each other; null if each row replaces all older ones of the table. */
  readonly key: string | null
}

export const STATE_RELATIONS: readonly StateRelation[] = [
  { name: 'delta_metadata', key: null },
  { name: 'delta_protocols', key: null },
  { name: 'delta_txns', key: 'app_id' },
  { name: 'delta_domains', key: 'domain' },
]
