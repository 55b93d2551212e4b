/** Other words by which the palette finds a page. */
export const NAV_WORDS: Record<string, string> = {
  '/': 'home overview',
  '/events': 'search hunt logs',
  '/detections': 'rules sigma exceptions editor backtest value lists pipelines fields',
  '/coverage': 'attack mitre navigator gaps not checked',
  '/indicators': 'threat intel lists iocs import hits',
  '/ingest': 'health dead letters sources',
  '/jobs': 'background bulk progress',
  '/ledger': 'audit verify',
  '/settings':
    'account password passkey members roles keys tokens sessions targets automation autonomy freezes limits protected teams standing usage grants',
  '/policies': 'rego built-in versions replay activate gate rules of response',
  '/notifications': 'mail e-mail webhook letters outbox told delivered failed',
  '/tenants': 'suspend lock delete',
  '/installation/ledger': 'audit verify operators tenants',
  '/actions': 'undo centre take back hour',
  '/capabilities': 'catalogue respond block isolate plan do',
}
