// Made by Tests/Helpers/token-vectors. The lines are as long as their keys.
// swift-format-ignore-file
enum Vectors {
  static let keySet = #"""
    {"keys":[
    {"kty": "oct", "kid": "h", "k": "-OR5q-W5ovwuZmttGSeYQPjVayVTG6oWyfeAR3cTnMg"},
    {"kty": "RSA", "kid": "r", "n": "9CkiTr_FHgn-H6QI4v1__2GDn3Ivnonx7Bq5YneDq1b8HE4ku6CFhM4Me4Ne2zWmrRNVZhwEp3_7yopsqT70yLedy5Vgs3jYYyeskKV5epGK3CrpCgwPLjveDJF19xprAUdtGoboPEbu0HVr_arQgrUiEhjf7XzYg9G0_4B8Q5FxeK9jmTO4dLqTnYbQX6PtCJXeeAhSL1VZlB9mzZXUgxNEb4wXVKCY5f6yAz13fembH8wiYyJIls1S33rzHKkrdYh_sgobVENHAHlrNPgdMshLeJZaska9KOxvck93_WFc-tMY-qyQXy-8v1gJS0RU0e8CQrEdL-Ee44NTYr7a2Q", "e": "AQAB", "d": "IECCwKZCUop9YA6aAen8i26FJX2-3pFYPJj3HhOtd-egm9iSr5ovqPBS48nhsNEweDJSmI9g6gNU7ldErUKcsRrYJDlSMcLnyolGGUFSf6dUEWs1p1cadkAAP-bDD2YU9nFJ7zQc30F7cFvibPqwWmO04XEZu1Q_gYIlB48gWwhMRjGRoHA70eRhfpYJK5fZP_tE4s_oxZTgXjjcDkdJ2xREjsJSusQWZB7V9de_O21wgZ1s0aotUkyodOq1hj-JPJyXnVGwcv0LtjE2vBMNjnSH73Pxv0TBFJNHiVsINT6UBFZ_tI-LzL_Odn7vJuVvi_MlRVAJT2Lw4njAo-MC9Q"},
    {"kty": "EC", "crv": "P-256", "kid": "e", "x": "9gA3yogSN_VLUYsGgI7Ufj5B6R4xvzhlFZgAKrCwfOY", "y": "7_OkSTAh_QYKTCwyJATZ6BF7XF28j_xeZ6SN8vgv9WQ", "d": "7qhMwWlPgFenz60rQf3GV90aus0V0sQX6sdoBEC4eKs"},
    {"kty": "OKP", "crv": "Ed25519", "kid": "d", "x": "uFdaIIALLUgopJPpysTcB7ytYBc0vfVvKwZvHa0h_bs", "d": "5lu1gxo1lVZ9XJXhQluNVQUw0FTSimqZWVJVoFQgBEY"}
    ]}
    """#
  static let otherKeySet = #"""
    {"keys":[
    {"kty": "oct", "kid": "h", "k": "7FROEosu_QgeEIUcyxRtwEkx_wvlqVlAxeF3qqo-nVc"},
    {"kty": "RSA", "kid": "r", "n": "5e_GasecKBSUhCtqx4TlYx83HWXz3UHYy6khLusgsKRubSneU8VZ7kSQwD_vuciW4e_4NX2h8IkaIUZxXh0sx0mocD_5FhieoqdbwYZ8eIompQpN5LmITuNte7qPOvZQtfFLfF9Vs_g7S4nZtLmFlyA4BboLS-M3Thq7CnMI-GwzJneT3BoSTjHkwYqWAZu-l24_ASfWAFlgh5VTHAklfcMZH53r1Y-7roFrFB-26kKJO2KSxFscKSq7Bdn9KUfA7h6oq7L0Jxz8hpMEM2LlFbSUqRasZ7L_F8kFkARPSXpDGMOSRmlcrrPeoH1NSxtdKtot9FUJUaOwUjfvnDtD1Q", "e": "AQAB", "d": "ArLsDAxQQasuLBf7XqCpdZ6j7bko4d-4PPm8_Tk-zrv7XNYpOSf_nHubDFqjxHU9iiTgL7aMDE_7qcjTI1Tp1eQAMWMa2B7NW-Dlg5HBy8NpXTYQAH-KAU0Ll7BypnFGNMCCj5Dp510iSwpw7v1fe0ziQ3Tx1X_zAfxv1hlQEWRkCTBJ_ovbcYuiO50QxF5B0V9F4GFFdV56vNtCRiXOPmfDTxUJV0rnHCobd-Bei9taYxLMaylWVJfbBDSwY9r9d6rDF08jWJ4KEgP5k-mkx41GHFpgSQ__cRbOkFo31G12WQgjsmb_6WqKLov7LTU94S1UpMBerV_rxnPSkJ2XQQ"},
    {"kty": "EC", "crv": "P-256", "kid": "e", "x": "ZOurELa698x1m7lErMD6idJKYhFdJoD32_33Myt54Ww", "y": "XVhaZShmz_7O9ryogDUhUiOJt8lN0d4N_10SdJ7m7yc", "d": "-ABxm9MvgeG4h8iWnXi0nGIf7RMZiBb1ZCeYd6YOxF0"},
    {"kty": "OKP", "crv": "Ed25519", "kid": "d", "x": "ETKV6H7arB8aerzWEPjgCfYKbgnoe_Xx5uRN9Jx1Zxw", "d": "WtknI1LrSoVSDR8FCfNyNnesjcM9KZrECnp_23pfHKU"}
    ]}
    """#
  static let weakRSA = #"""
    {"kty": "RSA", "kid": "w", "n": "uvnlqqtAdJJb4roUH8wdNH8R0o8dSN3cGd-rGhhqeUqxlFhF90cXbq-v4mSBu0_CfjieVamwzdSScKdNjVuVsfY-jurtbbtovDKOGh_SGbuBOxSKQhzCx1Yjtdzx2ONAtPVQXF0rHw5bT0hOtM8ne7i94TDUulCb-Q_ZxOud1VOb9_UHwYrk9UHalVHF22F6avFakODA311BwulfDp0D559cKkH5uSw-SJvxu6Uyew_FijTm_oWAw-Mb_M90h8dL0hKUI7DLD6MuXSzueowH_-bPnp-5fL4N3pXUjgssq34z7hsUnfkk-j-tiHLTN0xumA5p3MUBnvTlMOX1Wam9", "e": "AQAB", "d": "NGRp0pUCDqgkTzfNA8vyMw-YMuQfVJe2YRmnnDxTOYGQmPzTPiMRkdZw9oMrRw1mdm_vDhnqjQKPtjlrJb0QCTny9aEmvqTRCEsyPmfEO6mq4J80zqm4eprMjt1Gd3vWWd6Tkg4ZUy52r5SXWVriuWxe6IcCVOLZkcS7RM6w_1onEfiVluwAe_Ks0kSAJ6qU0g97uCu50jPXuKWwKtW-X0jGlefHxV2Vihx4biybXQ734FjbO3K9X2R0YNIKBg7GPoLe9RxXJRk6PguadgnUZIGECkAMIA0ZjAX94wimyOomGPxEfTj2YY3j8__K7FDlI_vyJoUSrXxftIllNiSB"}
    """#
  static let tokens = [
    "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOiAiaCJ9.eyJzdWIiOiAiQWxpY2VARXhhbXBsZS5jb20iLCAiZXhwIjogNDEwMjQ0NDgwMCwgImlzcyI6ICJodHRwczovL2lkLmV4YW1wbGUuY29tIiwgImF1ZCI6IFsib3RoZXIiLCAicG9kY3RsIl19.pFHD6yIU1OxbbtmiYV3Q8UgWqirfyyUUeqUusrdPhQY",
    "eyJhbGciOiAiUlMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOiAiciJ9.eyJzdWIiOiAiQWxpY2VARXhhbXBsZS5jb20iLCAiZXhwIjogNDEwMjQ0NDgwMCwgImlzcyI6ICJodHRwczovL2lkLmV4YW1wbGUuY29tIiwgImF1ZCI6IFsib3RoZXIiLCAicG9kY3RsIl19.5rJ9fBn7H1ISSK5cAuU1YwuVXybNwYAQj5EOfI4M4Rk6T6vOU1c5mINkO3PukmvUeqa7f7BF-uHiQmjBQ3Vbtd8_0e_Y3S_tEQm0tUVWcHnelg5LioffMFzNnbU1871Sn9-iM5LuMoMcWVua-CP_4Br7974mKoyW1LcGGldY5ZAHuqXcwiXgbiuY0p5qRZlNfaqLNYnJJ94X8Low-enzTf6Rbeya-uphbz1onwYPzP3048mROtKHPTxt8Ze0ZxFxEqNP_-JFC4szPwtd-nS6eRLRZhF549cD_xfaFVmVQpyz1YuY-m5c6iB1iLCSrkYBikNAtkCPBMqU-AmhyNw6wA",
    "eyJhbGciOiAiRVMyNTYiLCAidHlwIjogIkpXVCIsICJraWQiOiAiZSJ9.eyJzdWIiOiAiQWxpY2VARXhhbXBsZS5jb20iLCAiZXhwIjogNDEwMjQ0NDgwMCwgImlzcyI6ICJodHRwczovL2lkLmV4YW1wbGUuY29tIiwgImF1ZCI6IFsib3RoZXIiLCAicG9kY3RsIl19.uvI7R-odcFS6binJ2quAD4ww3dRBpVpsXRo2Crg7J00VNPithpo1GzaF9bO-Xg2UbDZZJ2MgIQgyoqS59BkIAA",
    "eyJhbGciOiAiRWREU0EiLCAidHlwIjogIkpXVCIsICJraWQiOiAiZCJ9.eyJzdWIiOiAiQWxpY2VARXhhbXBsZS5jb20iLCAiZXhwIjogNDEwMjQ0NDgwMCwgImlzcyI6ICJodHRwczovL2lkLmV4YW1wbGUuY29tIiwgImF1ZCI6IFsib3RoZXIiLCAicG9kY3RsIl19.MDxWTr1fl0NeI6kUkFDFoWnFLcWPXPyg1ATIfwpxkU60yNfYxjdfAKtHAcC4W9jLLQ1SvhmZD2hBWHGihlKcBQ",
  ]
}
