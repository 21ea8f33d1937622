/** The relations that say what is in force: the newest row of each key at or below a version. */
export type StateRelation = {
  readonly name: 'delta_metadata' | 'delta_protocols' | 'delta_txns' | 'delta_domains'
  /** Column by which rows take each other's place; null where there is one for the whole table. */
  readonly key: string | null
}

export const STATE_RELATIONS: readonly StateRelation[] = [
  { name: 'delta_metadata', key: null },
  { name: 'delta_protocols', key: null },
  { name: 'delta_txns', key: 'app_id' },
  { name: 'delta_domains', key: 'domain' },
]
