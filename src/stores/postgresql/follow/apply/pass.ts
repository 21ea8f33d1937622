/** By this setting a session says that what it writes are changes of a stream: a guarded table lets it pass. */
export const APPLY = 'sluice.apply'
